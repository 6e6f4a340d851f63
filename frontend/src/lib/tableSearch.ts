import { useNavigate, useSearch } from '@tanstack/react-router'
import { word } from './page'

/** How a table is shown, as the address keeps it: `sort` is a column, with "-" before it from large to small;
 *  `q` filters; `hide` names columns, separated by commas; `peek` is the row whose panel is open. */
export type TableSearch = { sort?: string; q?: string; hide?: string; peek?: string }

export const tableSearch = (raw: Record<string, unknown>): TableSearch => ({
  sort: word(raw.sort),
  q: word(raw.q),
  hide: word(raw.hide),
  // The router reads a number in the address as one.
  peek: typeof raw.peek === 'number' ? String(raw.peek) : word(raw.peek),
})

export function useTableSearch() {
  const search: TableSearch = useSearch({ strict: false })
  const navigate = useNavigate()
  const set = (change: TableSearch) =>
    void navigate({ to: '.', search: (old) => ({ ...old, ...change }), replace: true })
  return { search, set }
}
