import { TextInput } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { DataTable } from '@/components/DataTable'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { Verify } from '@/components/Verify'
import { useRows } from '@/lib/api/pages'
import { count } from '@/lib/format'
import css from './Audit.module.css'
import { auditQuery, verifyChain } from './api'
import { COLUMNS, EntryPeek } from './entries'

/** Who changed what, newest first. There is no control here that edits or deletes. */
export function AuditPage() {
  const { action, object } = useSearch({ from: '/audit' })
  const navigate = useNavigate()
  const filter = { ...(action ? { action } : {}), ...(object ? { object_id: object } : {}) }
  const query = useInfiniteQuery(auditQuery(filter))
  const set = (name: 'action' | 'object', value: string) =>
    void navigate({ to: '/audit', search: (old) => ({ ...old, [name]: value || undefined }), replace: true })
  const entries = useRows(query.data)
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[300]} />
    if (entries.length === 0)
      return (
        <Empty title={action || object ? 'Nothing matches' : 'Nothing has happened yet'}>
          {action || object ? 'No entry has this action and object.' : 'Every change writes its line here.'}
        </Empty>
      )
    return (
      <DataTable
        title="Entries"
        caption="Audit entries, newest first"
        columns={COLUMNS}
        rows={entries}
        id={(entry) => String(entry.sequence)}
        scope={`${action}/${object}`}
        peek={{
          title: (entry) => `${entry.action}, entry ${count(entry.sequence)}`,
          content: (entry) => <EntryPeek entry={entry} />,
        }}
        more={query}
      />
    )
  }
  return (
    <>
      <PageHeader
        title="Audit"
        sub="Every change with who made it, chained so that no entry can be edited unseen."
      />
      <div className={css.stack}>
        <Verify title="Chain" check={verifyChain} holds="The chain holds" broken="The chain is broken">
          Each entry holds the digest of the one before, and heads are signed: what was edited afterwards is
          found.
        </Verify>
        <div className={css.filters}>
          <TextInput
            label="Action"
            placeholder="update.create"
            value={action ?? ''}
            onChange={(event) => set('action', event.currentTarget.value)}
          />
          <TextInput
            label="Object"
            placeholder="its whole id or name"
            value={object ?? ''}
            onChange={(event) => set('object', event.currentTarget.value)}
          />
        </div>
        {content()}
      </div>
    </>
  )
}
