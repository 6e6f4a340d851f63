import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading, Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import { useActiveModel } from '@/lib/api/models'
import type { LedgerTask, LedgerTrack } from '@/lib/api/types'
import { count, release, score, word } from '@/lib/format'
import { ledgerQuery } from './api'
import css from './Ledger.module.css'

const COLUMNS = ['Legacy', 'New', 'Recall', 'Out of date']

function Track({ track }: { track: LedgerTrack }) {
  const name = track.number === null ? 'rejected trial' : release(track.number)
  return (
    <tr>
      <th scope="row">
        {track.update_id ? (
          <Link to="/updates/$id" params={{ id: track.update_id }} search={true}>
            {name}
          </Link>
        ) : (
          name
        )}
      </th>
      <td className={table.right}>{score(track.legacy)}</td>
      <td className={table.right}>{score(track.new)}</td>
      <td className={table.right}>{score(track.recall)}</td>
      <td className={table.right}>{count(track.stale)}</td>
    </tr>
  )
}

/** One task, update by update: what it knew before, and what the update brought. */
function Task({ task }: { task: LedgerTask }) {
  return (
    <Panel title={task.task} note={`${word(task.metric)} · ${count(task.slices.length)} slices`} flush>
      {task.tracks.length === 0 ? (
        <Nothing>No score by slices yet: they begin with the next update.</Nothing>
      ) : (
        <div className={table.scroll}>
          <table className={table.table}>
            <caption className="visually-hidden">Scores of {task.task}, by update, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Release</th>
                {COLUMNS.map((name) => (
                  <th key={name} scope="col" className={table.right}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {[...task.tracks].reverse().map((track) => (
                <Track key={track.release_id ?? track.update_id} track={track} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}

export function LedgerPage() {
  const { name, query: models } = useActiveModel()
  const query = useQuery({ ...ledgerQuery(name ?? ''), enabled: name !== undefined })
  const content = () => {
    const error = models.error ?? query.error
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (models.isSuccess && name === undefined)
      return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (!query.data) return <Loading heights={[200, 200]} />
    if (query.data.tasks.length === 0)
      return (
        <Empty title="Nothing is scored yet">
          The first update of a task writes the first line here: what it knew, and what it learned.
        </Empty>
      )
    return (
      <div className={css.stack}>
        {query.data.tasks.map((task) => (
          <Task key={task.task} task={task} />
        ))}
      </div>
    )
  }
  return (
    <>
      <PageHeader
        title="Ledger"
        sub="Each task's exam by slices: legacy is what it knew before an update, new is what the update brought; recall asks taught prompts again."
      />
      {content()}
    </>
  )
}
