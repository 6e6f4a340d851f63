import { useEffect, useState } from 'react'

type Row = { id: string }

/** Lists don't move under the cursor: rows that came since the list was opened wait behind a "3 new" pill.
 *  Rows already shown are renewed in place. `scope` changes with the filter and starts the list anew. */
export function useShownRows<T extends Row>(rows: T[] | undefined, scope: string) {
  const [shown, setShown] = useState<{ scope: string; ids: Set<string> } | null>(null)
  const known = shown?.scope === scope ? shown.ids : null
  const empty = known === null || known.size === 0

  useEffect(() => {
    if (rows && empty && rows.length > 0) setShown({ scope, ids: new Set(rows.map((row) => row.id)) })
  }, [rows, empty, scope])

  const all = rows ?? []
  const visible = known && known.size > 0 ? all.filter((row) => known.has(row.id)) : all
  return {
    visible,
    fresh: all.length - visible.length,
    showAll: () => setShown({ scope, ids: new Set(all.map((row) => row.id)) }),
  }
}
