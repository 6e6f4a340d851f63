import { Button, SegmentedControl } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { DataTable } from '@/components/DataTable'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { updateLook } from '@/components/status'
import { useActiveModel } from '@/lib/api/models'
import { useRows } from '@/lib/api/pages'
import { usePolling } from '@/lib/useLive'
import { updatesQuery } from './api'
import { COLUMNS } from './columns'
import { StartUpdate } from './StartUpdate'
import { UpdatePeek } from './UpdatePeek'
import css from './Updates.module.css'

const FILTERS = ['all', 'running', 'succeeded', 'rejected', 'inconclusive', 'rolled-back', 'failed']
const CHOICES = FILTERS.map((value) => ({ value, label: value === 'all' ? 'All' : updateLook(value).label }))

function StateFilter({ state }: { state: string | undefined }) {
  const navigate = useNavigate()
  const choose = (value: string) =>
    navigate({ to: '/updates', search: (old) => ({ ...old, state: value === 'all' ? undefined : value }) })
  return (
    <SegmentedControl size="xs" aria-label="State" data={CHOICES} value={state ?? 'all'} onChange={choose} />
  )
}

function NeverRun() {
  return (
    <Empty
      title="No update yet"
      steps={[
        <>
          Bring data for a task: <code>clm ingest FILE --model M --task T</code>
        </>,
        <>
          Start an update here, or let the data's volume do it (<code>trigger.volume</code> in the model's
          policy)
        </>,
        'Watch the seven stages; the gate decides whether it takes traffic',
      ]}
    >
      An update is one run of the cycle: snapshot, mixture, train, evaluate, gate, release, rollout. Each one
      is listed here with its outcome and its reason.
    </Empty>
  )
}

function FilteredOut({ state }: { state: string }) {
  const navigate = useNavigate()
  return (
    <Empty
      title={`No update is ${updateLook(state).label.toLowerCase()}`}
      action={
        <Button
          variant="default"
          onClick={() => navigate({ to: '/updates', search: (old) => ({ model: old.model }) })}
        >
          Clear the filter
        </Button>
      }
    >
      The filter matches none of this model's updates.
    </Empty>
  )
}

export function UpdatesPage() {
  const { state } = useSearch({ from: '/updates' })
  const { name, model, query: models } = useActiveModel()
  const query = useInfiniteQuery({
    ...updatesQuery({ model: name, state }),
    enabled: models.isSuccess,
    refetchInterval: usePolling(10_000),
  })
  const rows = useRows(query.data)

  const error = models.error ?? query.error
  const content = () => {
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (!query.data) return <Loading heights={[320]} />
    if (rows.length === 0) return state ? <FilteredOut state={state} /> : <NeverRun />
    return (
      <DataTable
        title={state ? `Updates: ${updateLook(state).label.toLowerCase()}` : 'All updates'}
        caption="Updates, newest first"
        columns={COLUMNS}
        rows={rows}
        id={(update) => update.id}
        scope={`${name}/${state}`}
        to={(update) => `/updates/${update.id}`}
        peek={{
          title: (update) => `Update of ${update.task}`,
          content: (update) => <UpdatePeek update={update} />,
        }}
        more={query}
      />
    )
  }
  return (
    <>
      <PageHeader
        title="Updates"
        sub="Each run of the cycle, what came of it and why."
        actions={model ? <StartUpdate model={model} /> : null}
      />
      <div className={css.bar}>
        <StateFilter state={state} />
      </div>
      {content()}
    </>
  )
}
