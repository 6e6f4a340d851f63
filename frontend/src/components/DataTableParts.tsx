import { Link } from '@tanstack/react-router'
import { useTableSearch } from '@/lib/tableSearch'
import type { Column } from './columns'
import css from './DataTable.module.css'
import { Icon } from './Icon'
import table from './Table.module.css'

type HeadProps<Item> = {
  columns: Column<Item>[]
  sort: string | undefined
  onSort: (sort: string | undefined) => void
}

/** Small to large, large to small, as it came. */
const next = (id: string, sort: string | undefined) =>
  sort === id ? `-${id}` : sort === `-${id}` ? undefined : id

const order = (id: string, sort: string | undefined) =>
  sort === id ? 'ascending' : sort === `-${id}` ? 'descending' : 'none'

export function Head<Item>({ columns, sort, onSort }: HeadProps<Item>) {
  return (
    <thead>
      <tr>
        {columns.map((column) => (
          <th
            key={column.id}
            scope="col"
            className={column.look && table[column.look]}
            aria-sort={column.value && order(column.id, sort)}
          >
            {column.value ? (
              <button type="button" className={css.sort} onClick={() => onSort(next(column.id, sort))}>
                {column.header}
              </button>
            ) : (
              column.header
            )}
          </th>
        ))}
        <td />
      </tr>
    </thead>
  )
}

type RowProps<Item> = {
  row: Item
  id: string
  columns: Column<Item>[]
  to: string | undefined
  title: string
}

/** One row. Its name leads to its page, or opens its panel where it has none; an open panel follows the focus. */
export function Row<Item>({ row, id, columns, to, title }: RowProps<Item>) {
  const { search, set } = useTableSearch()
  const peek = () => set({ peek: id })
  const follow = search.peek && search.peek !== id ? peek : undefined
  const marks = { className: table.rowLink, 'data-row': true, onFocus: follow }
  const name = (column: Column<Item>) =>
    to ? (
      <Link to={to} {...marks}>
        {column.cell(row)}
      </Link>
    ) : (
      <button type="button" {...marks} onClick={peek}>
        {column.cell(row)}
      </button>
    )
  return (
    <tr data-peeked={search.peek === id}>
      {columns.map((column) => {
        const look = column.look && table[column.look]
        return column.names ? (
          <th key={column.id} scope="row" className={look}>
            {name(column)}
          </th>
        ) : (
          <td key={column.id} className={look}>
            {column.cell(row)}
          </td>
        )
      })}
      <td className={table.fit}>
        {to ? (
          <button type="button" className={css.peek} aria-label={`Peek at ${title}`} onClick={peek}>
            <Icon name="panel" size={15} />
          </button>
        ) : null}
      </td>
    </tr>
  )
}
