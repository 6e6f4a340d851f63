import type { Ledger, LedgerCell } from '@/lib/api/types'

/** `updateId` is the update that made what the column scores. */
export type Column = { key: string; number: number | null; updateId: string | null }
/** `delta` is the change against the best score that an earlier release had; none for the first score. */
export type Entry = { cell: LedgerCell; delta: number | null; breach: boolean }
export type Row = { task: string; metric: string; best: number | null; entries: (Entry | null)[] }
export type Matrix = { columns: Column[]; rows: Row[]; averages: (number | null)[]; hidden: number }

const COLUMNS_SHOWN = 30

const keyOf = (cell: LedgerCell): string => cell.release_id ?? cell.update_id ?? ''

/** Update ids sort by time. The first release came with the model and not from an update, so it stands first. */
const order = (a: Column, b: Column): number =>
  (a.updateId ?? '').localeCompare(b.updateId ?? '') || (a.number ?? Infinity) - (b.number ?? Infinity)

/** A release is scored by the update that made it, and again (without an update) as the champion of later ones. */
function columnsOf(ledger: Ledger): Column[] {
  const columns = new Map<string, Column>()
  for (const cell of ledger.tasks.flatMap((task) => task.cells)) {
    const updateId = columns.get(keyOf(cell))?.updateId ?? cell.update_id
    columns.set(keyOf(cell), { key: keyOf(cell), number: cell.number, updateId })
  }
  return [...columns.values()].sort(order)
}

/** The ledger as a table: tasks down, releases (and rejected candidates) across, in order of time. */
export function matrix(
  ledger: Ledger,
  margins: Record<string, number | undefined>,
  weights: Record<string, number | undefined> = {},
): Matrix {
  const all = columnsOf(ledger)
  const columns = all.slice(-COLUMNS_SHOWN)
  const rows = ledger.tasks.map((task) => {
    const byKey = new Map(task.cells.map((cell) => [keyOf(cell), cell]))
    let best: number | null = null
    const entries = all.map((column): Entry | null => {
      const cell = byKey.get(column.key)
      if (!cell) return null
      const delta = best === null ? null : cell.score - best
      if (cell.number !== null) best = Math.max(best ?? cell.score, cell.score)
      const margin = margins[task.task]
      return { cell, delta, breach: delta !== null && margin !== undefined && delta < -margin }
    })
    return { task: task.task, metric: task.metric, best: task.best, entries: entries.slice(-COLUMNS_SHOWN) }
  })
  const averages = columns.map((_, at) => {
    const scored = rows.flatMap((row) => {
      const score = row.entries[at]?.cell.score
      return score === undefined ? [] : [{ score, weight: weights[row.task] ?? 1 }]
    })
    const whole = scored.reduce((sum, { weight }) => sum + weight, 0)
    return whole > 0 ? scored.reduce((sum, { score, weight }) => sum + weight * score, 0) / whole : null
  })
  return { columns, rows, averages, hidden: all.length - columns.length }
}

/** How strongly a cell is coloured, 0 … 1: a change of 0.2 is as strong as it gets. */
export const heat = (delta: number | null): number =>
  delta === null ? 0 : Math.min(1, Math.abs(delta) / 0.2)

export type Drop = { task: string; number: number; delta: number }

/** The largest loss that a release brought; what was rejected took nothing. */
export function worstDrop({ rows }: Matrix): Drop | null {
  const drops = rows.flatMap(({ task, entries }) =>
    entries.flatMap((entry): Drop[] =>
      entry?.delta && entry.cell.number !== null
        ? [{ task, number: entry.cell.number, delta: entry.delta }]
        : [],
    ),
  )
  const worst = drops.toSorted((a, b) => a.delta - b.delta)[0]
  return worst && worst.delta < 0 ? worst : null
}
