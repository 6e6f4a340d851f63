import { Link } from '@tanstack/react-router'
import { release, score, signed, word } from '@/lib/format'
import { type Column, type Entry, heat, type Matrix } from '@/lib/ledger'
import css from './LedgerTable.module.css'

export type Aliases = { champion: number | null; candidate: number | null }

function Head({ column, aliases }: { column: Column; aliases: Aliases }) {
  const rejected = column.number === null
  const alias = rejected
    ? 'rejected'
    : column.number === aliases.champion
      ? 'champion'
      : column.number === aliases.candidate
        ? 'candidate'
        : null
  const name = rejected ? 'trial' : release(column.number)
  return (
    <th scope="col">
      <span className={css.alias} data-alias={alias}>
        {alias ?? ''}
      </span>{' '}
      {column.updateId ? (
        <Link to="/updates/$id" params={{ id: column.updateId }} search={true}>
          {name}
        </Link>
      ) : (
        name
      )}
    </th>
  )
}

function Cell({ entry }: { entry: Entry | null }) {
  if (!entry) {
    return (
      <td className={css.none} title="Not evaluated">
        <span className="visually-hidden">not evaluated</span>
      </td>
    )
  }
  const { cell, delta, breach } = entry
  const change = delta === null || Math.abs(delta) < 0.005 ? 'same' : delta > 0 ? 'up' : 'down'
  const explained = [
    `score ${cell.score.toFixed(3)} on ${cell.n} examples`,
    delta === null ? 'first score' : `${signed(delta, 3)} against the best release before it`,
    `${cell.misrouted} misrouted`,
    ...(breach ? ['lost more than the margin'] : []),
  ]
  return (
    <td
      className={css.cell}
      data-change={change}
      data-breach={breach}
      data-rejected={cell.number === null}
      style={{ '--heat': heat(delta) } as React.CSSProperties}
      title={explained.join(' · ')}
    >
      <span className={css.score}>
        {score(cell.score)}
        {breach ? <span title="Lost more than the margin"> !</span> : null}
      </span>
      <span className={css.under}>
        {delta === null ? 'first' : signed(delta)} · n {cell.n}
      </span>
    </td>
  )
}

type Props = { matrix: Matrix; aliases: Aliases; averaged: string }

/** The ledger as a native table; the number in each cell carries the meaning, the colour only repeats it. */
export function LedgerTable({ matrix, aliases, averaged }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls sideways must be reachable by keyboard
    <section className={css.scroll} tabIndex={0} aria-label="Ledger, scrolls sideways">
      <table className={css.table}>
        <caption className="visually-hidden">
          Scores per task and release; each cell tells the change against the best earlier release.
        </caption>
        <thead>
          <tr>
            <th scope="col">Task</th>
            {matrix.columns.map((column) => (
              <Head key={column.key} column={column} aliases={aliases} />
            ))}
          </tr>
        </thead>
        <tbody>
          {matrix.rows.map((row) => (
            <tr key={row.task}>
              <th scope="row">
                <Link to="/ledger" search={(old) => ({ model: old.model, task: row.task })}>
                  {row.task}
                </Link>
                <span className={css.metric}>{word(row.metric)}</span>
              </th>
              {row.entries.map((entry, at) => (
                <Cell key={matrix.columns[at]?.key ?? at} entry={entry} />
              ))}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{averaged}</th>
            {matrix.averages.map((average, at) => (
              <td key={matrix.columns[at]?.key ?? at}>{score(average)}</td>
            ))}
          </tr>
        </tfoot>
      </table>
    </section>
  )
}
