import { Panel } from '@/components/Panel'
import { Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import { type Look, rolloutLook } from '@/components/status'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { NameOf } from '@/lib/api/releases'
import type { Rollout } from '@/lib/api/types'
import { duration, MISSING } from '@/lib/format'

// A rollback without a rollout under way is kept as one of its own, from champion to the one before.
const BY_HAND: Look = { tone: 'bad', icon: 'undo', label: 'Rolled back' }

function took(rollout: Rollout): string {
  if (rollout.kind === 'rollback' && rollout.rollback_ms !== null)
    return `${Math.round(rollout.rollback_ms)} ms`
  if (!rollout.finished_at) return MISSING
  return duration((Date.parse(rollout.finished_at) - Date.parse(rollout.created_at)) / 1000)
}

/** Every rollout that ended, newest first, with its reason. */
export function History({ rollouts, nameOf }: { rollouts: Rollout[]; nameOf: NameOf }) {
  return (
    <Panel title="History" flush={rollouts.length > 0}>
      {rollouts.length === 0 ? (
        <Nothing>No rollout has ended yet.</Nothing>
      ) : (
        <div className={table.scroll}>
          <table className={table.table}>
            <caption className="visually-hidden">Rollouts that ended, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Release</th>
                <th scope="col">End</th>
                <th scope="col">Why</th>
                <th scope="col" className={table.right}>
                  Took
                </th>
                <th scope="col" className={table.right}>
                  Started
                </th>
              </tr>
            </thead>
            <tbody>
              {rollouts.map((rollout) => (
                <tr key={rollout.id}>
                  <th scope="row" className={table.fit}>
                    {nameOf(rollout.baseline)} → {nameOf(rollout.release_id)}
                  </th>
                  <td className={table.fit}>
                    <Status look={rollout.kind === 'rollback' ? BY_HAND : rolloutLook(rollout.state)} />
                  </td>
                  <td>{rollout.reason ?? MISSING}</td>
                  <td className={table.right}>{took(rollout)}</td>
                  <td className={table.right}>
                    <Time at={rollout.created_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}
