import { Link } from '@tanstack/react-router'
import { StageDots } from '@/components/StageDots'
import { Status } from '@/components/Status'
import { updateLook } from '@/components/status'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { Update } from '@/lib/api/types'
import { between, duration, MISSING, release } from '@/lib/format'
import { useNow } from '@/lib/useNow'
import css from './Updates.module.css'

function Row({ update }: { update: Update }) {
  const now = useNow(1000)
  const took = between(update.started_at, update.finished_at, now)
  return (
    <tr>
      <td className={table.fit}>
        <Status look={updateLook(update.state)} />
      </td>
      <th scope="row">
        <Link to="/updates/$id" params={{ id: update.id }} search={true} className={table.rowLink} data-row>
          {update.task}
        </Link>
        <span className={css.why}>{update.outcome ?? update.trigger_reason}</span>
      </th>
      <td className={table.fit}>
        <StageDots stages={update.stages} />
      </td>
      <td className="num">
        {update.release_id ? release(update.release_number, update.release_id) : MISSING}
      </td>
      <td className={table.right}>{took === null ? MISSING : duration(took)}</td>
      <td className={table.right}>
        <Time at={update.created_at} />
      </td>
    </tr>
  )
}

export function UpdatesTable({ updates }: { updates: Update[] }) {
  return (
    <div className={css.card}>
      <div className={table.scroll}>
        <table className={`${table.table} ${table.hover}`}>
          <caption className="visually-hidden">Updates, newest first</caption>
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Task</th>
              <th scope="col">Stages</th>
              <th scope="col">Release</th>
              <th scope="col" className={table.right}>
                Took
              </th>
              <th scope="col" className={table.right}>
                Made
              </th>
            </tr>
          </thead>
          <tbody>
            {updates.map((update) => (
              <Row key={update.id} update={update} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}
