import type { ReactNode } from 'react'

export type Column<Item> = {
  id: string
  header: string
  cell: (row: Item) => ReactNode
  /** What it is sorted and filtered by; without it, neither. */
  value?: (row: Item) => string | number | null
  look?: 'right' | 'fit'
  /** Names the row; its cell is the link. Exactly one column does. */
  names?: boolean
}

type Valued = { getValue: (id: string) => unknown }

/** Numbers by size, everything else by its words. */
export function compare(a: Valued, b: Valued, id: string): number {
  const [left, right] = [a.getValue(id), b.getValue(id)]
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return String(left).localeCompare(String(right), undefined, { numeric: true })
}
