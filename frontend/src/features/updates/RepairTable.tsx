import { Panel } from '@/components/Panel'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import type { RepairTry, Update } from '@/lib/api/types'
import { score, signed } from '@/lib/format'
import css from './Updates.module.css'

/** What was tried, as a person would say it. */
function tried(one: RepairTry): string {
  if (one.kind === 'interpolate') return `Step ${one.step} from the old expert to the new`
  if (one.kind === 'route') return `Prompts seem ${one.handicap} times as far from the task`
  return `Trained again, ${one.replay_share} older rows per new row`
}

const scores = (one: RepairTry): string =>
  Object.entries(one.scores)
    .map(([task, value]) => `${task} ${score(value)}`)
    .join(', ')

/** What was tried to save an update that the gate did not let pass, in order; the kept one is marked. */
export function RepairTable({ update }: { update: Update }) {
  const kept = update.tries.some((one) => one.kept)
  return (
    <Panel title="Repair" note={kept ? 'One try helped and is what was released' : 'No try was kept'} flush>
      <div className={table.scroll}>
        <table className={table.table}>
          <caption className="visually-hidden">Repairs that were tried</caption>
          <thead>
            <tr>
              <th scope="col">Tried</th>
              <th scope="col">Verdict</th>
              <th scope="col">Scores</th>
              <th scope="col" className={table.right}>
                Gain on {update.task}
              </th>
              <th scope="col">Kept</th>
            </tr>
          </thead>
          <tbody>
            {update.tries.map((one) => (
              <tr key={tried(one)}>
                <th scope="row">
                  {tried(one)}
                  <span className={css.why}>{one.reason}</span>
                </th>
                <td className={table.fit}>
                  <Status look={verdictLook(one.verdict)} />
                </td>
                <td className="num">{scores(one)}</td>
                <td className={table.right}>{signed(one.gain)}</td>
                <td>{one.kept ? 'yes' : 'no'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
