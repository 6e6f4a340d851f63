import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing, Refused } from '@/components/States'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { Contradiction } from '@/lib/api/types'
import { conflictsQuery, decide } from './api'
import css from './Data.module.css'

type Props = {
  contradiction: Contradiction
  busy: boolean
  onDecide: (decision: string) => void
  onHistory: () => void
}

function Answers({ contradiction, busy, onDecide }: Omit<Props, 'onHistory'>) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">Answers to {contradiction.prompt}</caption>
        <thead>
          <tr>
            <th scope="col">Answer</th>
            <th scope="col">Of</th>
            <th scope="col">From</th>
            <th scope="col">
              <span className="visually-hidden">Decide</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {contradiction.options.map((option) => (
            <tr key={option.record_id}>
              <th scope="row" className={css.sample}>
                {option.answer}
              </th>
              <td>
                <Time at={option.event_time} />
              </td>
              <td>
                {option.source}
                <span className={css.source}>
                  {option.new ? 'the new delivery' : 'held before'}
                  {option.held_out ? ' · held out' : ''}
                </span>
              </td>
              <td className={table.right}>
                <Button
                  size="compact-sm"
                  variant="default"
                  disabled={busy}
                  aria-label={`This one: ${option.answer}`}
                  onClick={() => onDecide(option.record_id)}
                >
                  This one
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function One({ contradiction, busy, onDecide, onHistory }: Props) {
  return (
    <article className={css.contradiction} aria-label={contradiction.prompt}>
      <h3>{contradiction.prompt}</h3>
      <p className={css.why}>
        {contradiction.task}: {contradiction.reason}
      </p>
      <Answers contradiction={contradiction} busy={busy} onDecide={onDecide} />
      <div className={css.decisions}>
        <Button size="compact-sm" disabled={busy} onClick={() => onDecide('newest')}>
          The newest
        </Button>
        <Button size="compact-sm" variant="default" disabled={busy} onClick={() => onDecide('keep-both')}>
          Keep both
        </Button>
        <Button size="compact-sm" variant="default" onClick={onHistory}>
          History
        </Button>
      </div>
    </article>
  )
}

/** Answers of which nothing says that one is newer: what held goes on holding until somebody decides. */
export function Contradictions({ model, onHistory }: { model: string; onHistory: (of: string) => void }) {
  const query = useQuery(conflictsQuery(model))
  const client = useQueryClient()
  const decision = useMutation({
    mutationFn: decide,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['conflicts', model] })
      void client.invalidateQueries({ queryKey: ['history'] })
    },
  })
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[60]} />
    const { items } = query.data
    if (items.length === 0) return <Nothing>No answers contradict each other.</Nothing>
    return items.map((one) => (
      <One
        key={one.id}
        contradiction={one}
        busy={decision.isPending}
        onDecide={(chosen) => decision.mutate({ id: one.id, decision: chosen })}
        onHistory={() => onHistory(one.prompt)}
      />
    ))
  }
  const waiting = query.data?.items.length ?? 0
  const more = query.data?.next_cursor ? '+' : ''
  return (
    <Panel title="Contradictions" note={waiting > 0 ? `${waiting}${more} wait for you` : undefined}>
      {decision.error ? <Refused error={decision.error} /> : null}
      {decision.data ? (
        <p role="status" className={css.report}>
          Decided. It counts from the next update of {decision.data.task} on, and can be decided anew by
          command line.
        </p>
      ) : null}
      {content()}
    </Panel>
  )
}
