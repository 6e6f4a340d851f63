import table from '@/components/Table.module.css'
import type { IngestReport, Refusal } from '@/lib/api/types'
import { count } from '@/lib/format'
import css from './Data.module.css'

/** What became of a delivery, in one sentence; refused rows by line. */
export function Report({ report }: { report: IngestReport }) {
  const parts = [
    `${count(report.accepted)} accepted`,
    ...(report.into_suite > 0 ? [`${count(report.into_suite)} of them held out for the exam`] : []),
    `${count(report.duplicate)} known already`,
    `${count(report.refused)} refused`,
    ...(report.superseding > 0 ? [`${count(report.superseding)} supersede an older answer`] : []),
    ...(report.late > 0 ? [`${count(report.late)} older than what holds`] : []),
    ...(report.contradicting > 0 ? [`${count(report.contradicting)} wait for a decision below`] : []),
  ]
  return (
    <div role="status">
      <p className={css.report}>
        <strong>{count(report.received)} rows received:</strong> {parts.join(', ')}.
      </p>
      {[...report.notes, report.unchecked, report.advice].map((said) =>
        said ? <p key={said}>{said}</p> : null,
      )}
      {report.refusals.length > 0 ? <Refusals refusals={report.refusals} /> : null}
    </div>
  )
}

export function Refusals({ refusals }: { refusals: Refusal[] }) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">Refused rows</caption>
        <thead>
          <tr>
            <th scope="col" className={table.right}>
              Line
            </th>
            <th scope="col">What was wrong</th>
            <th scope="col">Begins with</th>
          </tr>
        </thead>
        <tbody>
          {refusals.map((refusal) => (
            <tr key={`${refusal.line} ${refusal.field}`}>
              <td className={table.right}>{refusal.line}</td>
              <td>
                {refusal.field ? <strong>{refusal.field} </strong> : null}
                {refusal.reason}
              </td>
              <td className={css.sample}>{refusal.sample}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
