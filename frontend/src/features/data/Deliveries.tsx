import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { Batch } from '@/lib/api/types'
import { count } from '@/lib/format'
import { batchesQuery, refusalsQuery } from './api'
import css from './Data.module.css'
import { Refusals } from './Report'

function RefusedRows({ batch }: { batch: string }) {
  const query = useQuery(refusalsQuery(batch))
  if (query.error) return <Failed error={query.error} onRetry={query.refetch} />
  if (!query.data) return <Loading heights={[60]} />
  return <Refusals refusals={query.data.items} />
}

function Row({ batch }: { batch: Batch }) {
  const [open, setOpen] = useState(false)
  const numbers = [batch.received, batch.accepted, batch.into_suite, batch.duplicate]
  return (
    <>
      <tr>
        <th scope="row">
          {batch.task}
          <span className={css.source}>
            {batch.source}
            {batch.suite ? ' · held out' : ''}
          </span>
        </th>
        {numbers.map((number, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: fixed columns
          <td key={at} className={table.right}>
            {count(number)}
          </td>
        ))}
        <td className={table.right}>
          {batch.refused > 0 ? (
            <button
              type="button"
              className={css.open}
              aria-expanded={open}
              aria-label={`${count(batch.refused)} refused of ${batch.task}: show why`}
              onClick={() => setOpen(!open)}
            >
              {count(batch.refused)}
            </button>
          ) : (
            0
          )}
        </td>
        <td className={table.fit}>
          <Time at={batch.created_at} />
        </td>
      </tr>
      {open ? (
        <tr>
          <td colSpan={7}>
            <RefusedRows batch={batch.id} />
          </td>
        </tr>
      ) : null}
    </>
  )
}

const NUMBERS = ['Received', 'Accepted', 'Held out', 'Known', 'Refused']

/** The newest deliveries, with what became of their rows. */
export function Deliveries({ model }: { model: string }) {
  const query = useQuery(batchesQuery(model))
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[160]} />
    if (query.data.items.length === 0)
      return <Nothing>No rows have come for this model yet. Send a file above.</Nothing>
    return (
      <div className={table.scroll}>
        <table className={table.table}>
          <caption className="visually-hidden">Deliveries of rows, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Task</th>
              {NUMBERS.map((name) => (
                <th key={name} scope="col" className={table.right}>
                  {name}
                </th>
              ))}
              <th scope="col">When</th>
            </tr>
          </thead>
          <tbody>
            {query.data.items.map((batch) => (
              <Row key={batch.id} batch={batch} />
            ))}
          </tbody>
        </table>
      </div>
    )
  }
  return (
    <Panel title="Deliveries" flush>
      {content()}
    </Panel>
  )
}
