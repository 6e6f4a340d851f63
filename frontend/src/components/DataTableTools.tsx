import { TextInput } from '@mantine/core'
import { useTableSearch } from '@/lib/tableSearch'
import type { Column } from './columns'
import css from './DataTable.module.css'

type Props<Item> = {
  columns: Column<Item>[]
  hidden: string[]
  fresh: number
  onShowAll: () => void
}

/** What stands above a table: the filter, the choice of columns, and how many rows came meanwhile. */
export function Tools<Item>({ columns, hidden, fresh, onShowAll }: Props<Item>) {
  const { search, set } = useTableSearch()
  const toggle = (id: string) => {
    const left = hidden.includes(id) ? hidden.filter((other) => other !== id) : [...hidden, id]
    set({ hide: left.join(',') || undefined })
  }
  return (
    <div className={css.tools}>
      <TextInput
        size="xs"
        aria-label="Filter these rows"
        placeholder="Filter these rows"
        value={search.q ?? ''}
        onChange={(event) => set({ q: event.currentTarget.value || undefined })}
        data-filter
      />
      <details className={css.choice}>
        <summary>Columns</summary>
        <fieldset>
          <legend className="visually-hidden">Columns shown</legend>
          {columns.map((column) => (
            <label key={column.id}>
              <input
                type="checkbox"
                checked={!hidden.includes(column.id)}
                disabled={column.names}
                onChange={() => toggle(column.id)}
              />
              {column.header}
            </label>
          ))}
        </fieldset>
      </details>
      <div role="status">
        {fresh > 0 ? (
          <button type="button" className={css.pill} onClick={onShowAll}>
            {fresh} new
          </button>
        ) : null}
      </div>
    </div>
  )
}
