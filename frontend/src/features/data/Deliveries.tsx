import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { Column } from '@/components/columns'
import { DataTable } from '@/components/DataTable'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing } from '@/components/States'
import { Time } from '@/components/Time'
import { useRows } from '@/lib/api/pages'
import type { Batch } from '@/lib/api/types'
import { count } from '@/lib/format'
import { batchesQuery, refusalsQuery } from './api'
import css from './Data.module.css'
import { Refusals } from './Report'

const number = (id: string, header: string, value: (batch: Batch) => number): Column<Batch> => ({
  id,
  header,
  value,
  cell: (batch) => count(value(batch)),
  look: 'right',
})

const COLUMNS: Column<Batch>[] = [
  {
    id: 'rows',
    header: 'Rows for',
    value: (batch) => `${batch.task} ${batch.source}`,
    cell: (batch) => (
      <>
        {batch.task}
        <span className={css.source}>
          {batch.source}
          {batch.suite ? ' · held out' : ''}
        </span>
      </>
    ),
    names: true,
  },
  number('received', 'Received', (batch) => batch.received),
  number('accepted', 'Accepted', (batch) => batch.accepted),
  number('held', 'Held out', (batch) => batch.into_suite),
  number('known', 'Known', (batch) => batch.duplicate),
  number('refused', 'Refused', (batch) => batch.refused),
  {
    id: 'when',
    header: 'When',
    value: (batch) => batch.created_at,
    cell: (batch) => <Time at={batch.created_at} />,
    look: 'fit',
  },
]

function Refused({ batch }: { batch: string }) {
  const query = useQuery(refusalsQuery(batch))
  if (query.error) return <Failed error={query.error} onRetry={query.refetch} />
  if (!query.data) return <Loading heights={[60]} />
  return <Refusals refusals={query.data.items} />
}

function BatchPeek({ batch }: { batch: Batch }) {
  return (
    <div className={css.stack}>
      <p>
        {count(batch.received)} rows received, {count(batch.accepted)} accepted, {count(batch.refused)}{' '}
        refused.
      </p>
      {batch.notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
      {batch.refused > 0 ? <Refused batch={batch.id} /> : <Nothing>No row of it was refused.</Nothing>}
    </div>
  )
}

/** The newest deliveries, with what became of their rows. */
export function Deliveries({ model }: { model: string }) {
  const query = useInfiniteQuery(batchesQuery(model))
  const rows = useRows(query.data)
  if (rows.length > 0)
    return (
      <DataTable
        title="Deliveries"
        caption="Deliveries of rows, newest first"
        columns={COLUMNS}
        rows={rows}
        id={(batch) => batch.id}
        scope={model}
        peek={{
          title: (batch) => `${batch.task} from ${batch.source}`,
          content: (batch) => <BatchPeek batch={batch} />,
        }}
        more={query}
      />
    )
  return (
    <Panel title="Deliveries">
      {query.error ? (
        <Failed error={query.error} onRetry={query.refetch} />
      ) : query.data ? (
        <Nothing>No rows have come for this model yet. Send a file above.</Nothing>
      ) : (
        <Loading heights={[160]} />
      )}
    </Panel>
  )
}
