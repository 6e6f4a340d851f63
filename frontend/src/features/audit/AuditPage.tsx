import { Button, TextInput } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading } from '@/components/States'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import { Verify } from '@/components/Verify'
import type { AuditEntry } from '@/lib/api/types'
import { count } from '@/lib/format'
import css from './Audit.module.css'
import { auditQuery, verifyChain } from './api'

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** What changed, field by field: before → after. */
function Change({ entry }: { entry: AuditEntry }) {
  const before = entry.before ?? {}
  const after = entry.after ?? {}
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return (
    <ul className={css.change}>
      {fields.map((field) => (
        <li key={field}>
          <span>{field}</span> {field in before ? `${plain(before[field])} → ` : ''}
          {field in after ? plain(after[field]) : 'gone'}
        </li>
      ))}
      {entry.reason ? <li>because: {entry.reason}</li> : null}
    </ul>
  )
}

function Row({ entry }: { entry: AuditEntry }) {
  return (
    <tr>
      <td className={table.right}>{count(entry.sequence)}</td>
      <td className={table.fit}>
        <Time at={entry.at} />
      </td>
      <th scope="row">
        {entry.action}
        <span className={css.object}>
          {entry.object_kind} {entry.object_id}
        </span>
      </th>
      <td className={table.fit}>{entry.actor}</td>
      <td>
        <Change entry={entry} />
      </td>
      <td className={table.fit}>
        <code title={entry.hash}>{entry.hash.slice(0, 10)}</code>
      </td>
    </tr>
  )
}

/** Who changed what, newest first. There is no control here that edits or deletes. */
export function AuditPage() {
  const { action, object } = useSearch({ from: '/audit' })
  const navigate = useNavigate()
  const filter = { ...(action ? { action } : {}), ...(object ? { object_id: object } : {}) }
  const query = useInfiniteQuery(auditQuery(filter))
  const set = (name: 'action' | 'object', value: string) =>
    void navigate({ to: '/audit', search: (old) => ({ ...old, [name]: value || undefined }), replace: true })
  const entries = query.data?.pages.flatMap((page) => page.items) ?? []
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
      <Panel title="Entries" note={`${count(entries.length)} shown`} flush>
        <div className={table.scroll}>
          <table className={table.table}>
            <caption className="visually-hidden">Audit entries, newest first</caption>
            <thead>
              <tr>
                <th scope="col" className={table.right}>
                  No.
                </th>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col">Who</th>
                <th scope="col">Before → after</th>
                <th scope="col">Digest</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={entry.sequence} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
        {query.hasNextPage ? (
          <div className={css.more}>
            <Button
              variant="default"
              loading={query.isFetchingNextPage}
              onClick={() => query.fetchNextPage()}
            >
              Show older entries
            </Button>
          </div>
        ) : null}
      </Panel>
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
