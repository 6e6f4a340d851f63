import { useEffect, useMemo, useState } from 'react'

/** Lists, newest first, don't move under the cursor: rows that came since the list was opened wait behind a "3 new"
 *  pill. Rows already shown are renewed in place. `scope` changes with the filter and starts the list anew. */
export function useShownRows<Row>(rows: Row[], id: (row: Row) => string, scope: string) {
  const [top, setTop] = useState<{ scope: string; id: string }>()
  const newest = rows[0] && id(rows[0])
  const at = top?.scope === scope ? rows.findIndex((row) => id(row) === top.id) : -1
  const showAll = () => newest !== undefined && setTop({ scope, id: newest })

  useEffect(() => {
    if (at < 0 && newest !== undefined) setTop({ scope, id: newest })
  }, [at, newest, scope])

  const fresh = Math.max(0, at)
  const visible = useMemo(() => rows.slice(fresh), [rows, fresh])
  return { visible, fresh, showAll }
}
