import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { Chart } from '@/components/Chart'
import { Panel } from '@/components/Panel'
import { Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import type { LedgerTask } from '@/lib/api/types'
import { count, MISSING, score, word } from '@/lib/format'
import { type Point, points, told } from './history'

const COLUMNS = ['Score', 'Legacy', 'New', 'Recall', 'Out of date']

function PointRow({ point }: { point: Point }) {
  return (
    <tr>
      <th scope="row">
        {point.updateId ? (
          <Link to="/updates/$id" params={{ id: point.updateId }} search={(old) => ({ model: old.model })}>
            {point.name}
          </Link>
        ) : (
          point.name
        )}
      </th>
      {[point.score, point.legacy, point.new, point.recall].map((value, at) => (
        <td key={COLUMNS[at]} className={table.right}>
          {score(value)}
        </td>
      ))}
      <td className={table.right}>{point.stale === null ? MISSING : count(point.stale)}</td>
    </tr>
  )
}

function PointTable({ task, history }: { task: string; history: Point[] }) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">Scores of {task}, by update, newest first</caption>
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
          {history.toReversed().map((point) => (
            <PointRow key={point.key} point={point} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** One task through time: its score, and apart from it what it knew before each update and what the update brought. */
export function TaskHistory({ task }: { task: LedgerTask }) {
  const { history, names, lines } = useMemo(() => {
    const all = points(task)
    const line = (name: string, of: (point: Point) => number | null) => ({ name, values: all.map(of) })
    const every = [
      line('Score', (point) => point.score),
      line('Legacy: known before the update', (point) => point.legacy),
      line('New: brought by the update', (point) => point.new),
      line('Recall: taught prompts asked again', (point) => point.recall),
    ]
    return {
      history: all,
      names: all.map((point) => point.name),
      lines: every.filter((each) => each.values.some((value) => value !== null)),
    }
  }, [task])
  return (
    <Panel title={task.task} note={`${word(task.metric)} · ${count(task.slices.length)} slices`} flush>
      {history.length === 0 ? (
        <Nothing>Not scored yet: the next update of any task scores it.</Nothing>
      ) : (
        <Chart
          names={names}
          lines={lines}
          summary={told(history)}
          table={<PointTable task={task.task} history={history} />}
        />
      )}
    </Panel>
  )
}
