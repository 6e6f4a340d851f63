import { Panel } from '@/components/Panel'
import { Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import type { NameOf } from '@/lib/api/releases'
import type { Deployment, Traffic } from '@/lib/api/types'
import { count, duration, MISSING, percent } from '@/lib/format'
import css from './Deployment.module.css'

type Measure = { name: string; show: (window: Traffic) => { value: string; n?: number } }

const rate = (window: Traffic): string =>
  window.requests > 0 ? percent((100 * window.errors) / window.requests) : MISSING

const MEASURES: Measure[] = [
  { name: 'Share of requests', show: (w) => ({ value: percent(w.share) }) },
  { name: 'Requests', show: (w) => ({ value: count(w.requests) }) },
  { name: 'Errors', show: (w) => ({ value: rate(w), n: w.requests }) },
  {
    name: 'Latency, 95th percentile',
    show: (w) => ({
      value: w.latency_p95_ms === null ? MISSING : `${count(Math.round(w.latency_p95_ms))} ms`,
      n: w.requests,
    }),
  },
  {
    name: 'Feedback, mean of 0 to 1',
    show: (w) => ({
      value: w.feedback_mean === null ? MISSING : w.feedback_mean.toFixed(2),
      n: w.feedback_count,
    }),
  },
]

function Value({ value, n }: { value: string; n?: number }) {
  return (
    <td className={table.right}>
      {value}
      {n === undefined ? null : <span className={css.small}>{n === 0 ? 'no data' : `n ${count(n)}`}</span>}
    </td>
  )
}

/** What was seen of candidate and champion, side by side, each number with the count it stands on. */
export function Comparison({ deployment, nameOf }: { deployment: Deployment; nameOf: NameOf }) {
  const role = (window: Traffic) => (window.release_id === deployment.candidate ? 'candidate' : 'champion')
  const windows = deployment.traffic.filter((w) =>
    [deployment.champion, deployment.candidate].includes(w.release_id),
  )
  const first = windows[0]
  return (
    <Panel title="Live traffic" note={first ? `the last ${duration(first.window_seconds)}` : null} flush>
      {first ? (
        <div className={table.scroll}>
          <table className={table.table}>
            <caption className="visually-hidden">Candidate and champion under live traffic</caption>
            <thead>
              <tr>
                <th scope="col">Measure</th>
                {windows.map((window) => (
                  <th key={window.release_id} scope="col" className={table.right}>
                    {nameOf(window.release_id)} {role(window)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {MEASURES.map((measure) => (
                <tr key={measure.name}>
                  <th scope="row">{measure.name}</th>
                  {windows.map((window) => (
                    <Value key={window.release_id} {...measure.show(window)} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div className={css.rail} style={{ padding: '0 16px 12px' }}>
          <Nothing>No request was seen yet.</Nothing>
        </div>
      )}
    </Panel>
  )
}
