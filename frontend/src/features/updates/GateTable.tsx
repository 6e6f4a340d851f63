import { Panel } from '@/components/Panel'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import type { GateVerdict, SliceVerdict } from '@/lib/api/types'
import { count, score, signed } from '@/lib/format'
import css from './Updates.module.css'

const NUMBERS = ['Candidate', 'Champion', 'Difference', 'Bound', 'Margin', 'n']
const ROLES = { new: 'new task', refreshed: 'refreshed', original: 'original' }

const power = (chance: number | null | undefined) =>
  chance === null || chance === undefined
    ? undefined
    : `With as many examples, an update that changes nothing passes with probability ${score(chance)}`

/** A slice of the task's exam: what this update brought, and what was there before it. */
function SliceRow({ slice }: { slice: SliceVerdict }) {
  return (
    <tr className={css.slice}>
      <th scope="row">
        {slice.name}
        {slice.stale > 0 ? <span className={css.role}>{count(slice.stale)} answers out of date</span> : null}
      </th>
      <td className={table.fit}>
        <Status look={verdictLook(slice.verdict)} />
      </td>
      <td className={table.right}>{score(slice.candidate)}</td>
      <td className={table.right}>{score(slice.champion)}</td>
      <td className={table.right}>{signed(slice.difference)}</td>
      <td />
      <td />
      <td className={table.right}>{count(slice.n)}</td>
    </tr>
  )
}

/** The gate's verdict task by task: numbers, and the sentence that says why. */
export function GateTable({ verdict }: { verdict: GateVerdict }) {
  return (
    <Panel title="Gate" note={<Status look={verdictLook(verdict.verdict)} />} flush>
      <p className={css.reason}>{verdict.reason}</p>
      <div className={table.scroll}>
        <table className={table.table}>
          <caption className="visually-hidden">Candidate against champion, per task</caption>
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">Verdict</th>
              {NUMBERS.map((name) => (
                <th key={name} scope="col" className={table.right}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {verdict.tasks.flatMap((task) => [
              <tr key={task.task}>
                <th scope="row">
                  {task.task} <span className={css.role}>{ROLES[task.role]}</span>
                  <span className={css.why}>
                    {task.reason}
                    {task.more_examples
                      ? ` About ${count(task.more_examples)} more examples would decide.`
                      : null}
                  </span>
                </th>
                <td className={table.fit}>
                  <Status look={verdictLook(task.verdict)} />
                </td>
                <td className={table.right}>{score(task.candidate)}</td>
                <td className={table.right}>{score(task.champion)}</td>
                <td className={table.right}>{signed(task.difference)}</td>
                <td className={table.right} title="Lower confidence bound of the difference">
                  {signed(task.lower_bound)}
                </td>
                <td className={table.right}>−{score(task.margin)}</td>
                <td className={table.right} title={power(task.power)}>
                  {count(task.n)}
                </td>
              </tr>,
              ...task.slices.map((slice) => <SliceRow key={`${task.task} ${slice.name}`} slice={slice} />),
            ])}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
