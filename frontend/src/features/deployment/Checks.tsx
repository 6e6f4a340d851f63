import { Panel } from '@/components/Panel'
import { Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import { type Look, verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { Analysis, Rollout } from '@/lib/api/types'
import { capital, count, MISSING, word } from '@/lib/format'

const number = (value: number | null): string =>
  value === null || !Number.isFinite(value)
    ? MISSING
    : Math.abs(value) >= 1000
      ? count(Math.round(value))
      : String(Number(value.toFixed(3)))

type Check = Analysis['checks'][number]

/** "No data" of a check that has seen something means that it has not seen enough. */
const look = (check: Check): Look =>
  check.verdict === 'no-data' && check.n > 0
    ? { ...verdictLook('no-data'), label: 'Too few yet' }
    : verdictLook(check.verdict)

function Row({ check }: { check: Check }) {
  return (
    <tr>
      <th scope="row">{capital(word(check.name))}</th>
      <td className={table.fit}>
        <Status look={look(check)} />
      </td>
      <td className={table.right}>{number(check.observed)}</td>
      <td className={table.right}>{number(check.limit)}</td>
      <td className={table.right}>{count(check.n)}</td>
    </tr>
  )
}

/** The last analysis of the rollout: what was observed, against which limit, on how many. */
export function Checks({ rollout }: { rollout: Rollout }) {
  const last = rollout.verdicts.at(-1)
  return (
    <Panel title="Checks at the last verdict" note={last ? <Time at={last.at} /> : null} flush>
      {last ? (
        <div className={table.scroll}>
          <table className={table.table}>
            <caption className="visually-hidden">Checks of the last analysis</caption>
            <thead>
              <tr>
                <th scope="col">Check</th>
                <th scope="col">Verdict</th>
                <th scope="col" className={table.right}>
                  Observed
                </th>
                <th scope="col" className={table.right}>
                  Limit
                </th>
                <th scope="col" className={table.right}>
                  n
                </th>
              </tr>
            </thead>
            <tbody>
              {last.checks.map((check) => (
                <Row key={check.name} check={check} />
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div style={{ padding: '0 16px 12px' }}>
          <Nothing>Not analysed yet.</Nothing>
        </div>
      )}
    </Panel>
  )
}
