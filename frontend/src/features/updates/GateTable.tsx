import { Panel } from '@/components/Panel'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import type { GateVerdict } from '@/lib/api/types'
import { count, score, signed } from '@/lib/format'
import css from './Updates.module.css'

const NUMBERS = ['Candidate', 'Champion', 'Difference', 'Bound', 'Margin', 'n']
const ROLES = { new: 'new task', refreshed: 'refreshed', original: 'original' }

const power = (chance: number | null | undefined) =>
  chance === null || chance === undefined
    ? undefined
    : `With as many examples, an update that changes nothing passes with probability ${score(chance)}`

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
            {verdict.tasks.map((task) => (
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
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
