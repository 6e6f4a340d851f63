import { Button } from '@mantine/core'
import {
  columnFilteringFeature,
  columnVisibilityFeature,
  createFilteredRowModel,
  createSortedRowModel,
  filterFn_includesString,
  globalFilteringFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { type ReactNode, useMemo } from 'react'
import { count } from '@/lib/format'
import { useTableSearch } from '@/lib/tableSearch'
import { useRowKeys } from '@/lib/useRowKeys'
import { useShownRows } from '@/lib/useShownRows'
import { type Column, compare } from './columns'
import css from './DataTable.module.css'
import { Head, Row } from './DataTableParts'
import { Tools } from './DataTableTools'
import { Panel } from './Panel'
import { Peek } from './Peek'
import { Nothing } from './States'
import table from './Table.module.css'

const features = tableFeatures({
  columnFilteringFeature,
  columnVisibilityFeature,
  globalFilteringFeature,
  rowSortingFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: createSortedRowModel(),
  filterFns: { includesString: filterFn_includesString },
})

type More = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }

type Props<Item> = {
  title: string
  caption: string
  columns: Column<Item>[]
  /** Newest first. */
  rows: Item[]
  id: (row: Item) => string
  /** Changes with what was asked for; the list then begins anew. */
  scope: string
  /** The address of the row's own page; without one a row opens its panel. */
  to?: (row: Item) => string
  peek: { title: (row: Item) => string; content: (row: Item) => ReactNode }
  more?: More
}

/** A list: sorted, filtered and with the columns that the address says. Rows that come meanwhile wait for a click. */
export function DataTable<Item extends object>({
  columns,
  rows,
  id,
  scope,
  more,
  to,
  peek,
  ...props
}: Props<Item>) {
  const { search, set } = useTableSearch()
  const shown = useShownRows(rows, id, scope)
  useRowKeys()

  const hidden = useMemo(() => search.hide?.split(',') ?? [], [search.hide])
  const defined = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: (row: Item) => column.value?.(row) ?? undefined,
        enableSorting: column.value !== undefined,
        sortFn: compare,
        sortUndefined: 'last' as const,
      })),
    [columns],
  )
  const sorted = search.sort?.replace(/^-/, '')
  const model = useTable({
    features,
    columns: defined,
    data: shown.visible,
    getRowId: id,
    globalFilterFn: 'includesString',
    getColumnCanGlobalFilter: () => true,
    state: {
      sorting:
        sorted && columns.some((c) => c.id === sorted) ? [{ id: sorted, desc: sorted !== search.sort }] : [],
      globalFilter: search.q ?? '',
    },
  })
  const visible = columns.filter((column) => !hidden.includes(column.id))
  const found = model.getRowModel().rows.map((row) => row.original)
  const peeked = rows.find((row) => id(row) === search.peek)
  return (
    <>
      <Tools columns={columns} hidden={hidden} fresh={shown.fresh} onShowAll={shown.showAll} />
      <Panel title={props.title} note={`${count(found.length)} shown`} flush>
        <div className={table.scroll}>
          <table className={`${table.table} ${table.hover}`}>
            <caption className="visually-hidden">{props.caption}</caption>
            <Head columns={visible} sort={search.sort} onSort={(sort) => set({ sort })} />
            <tbody>
              {found.map((row) => (
                <Row
                  key={id(row)}
                  row={row}
                  id={id(row)}
                  columns={visible}
                  to={to?.(row)}
                  title={peek.title(row)}
                />
              ))}
            </tbody>
          </table>
        </div>
        {found.length === 0 ? (
          <div className={css.foot}>
            <Nothing>No row shown here holds “{search.q}”.</Nothing>
            <Button size="xs" variant="default" onClick={() => set({ q: undefined })}>
              Clear the filter
            </Button>
          </div>
        ) : null}
        {more?.hasNextPage ? (
          <div className={css.foot}>
            <Button variant="default" loading={more.isFetchingNextPage} onClick={() => more.fetchNextPage()}>
              Show older
            </Button>
          </div>
        ) : null}
      </Panel>
      {search.peek ? (
        <Peek title={peeked ? peek.title(peeked) : search.peek} to={peeked && to?.(peeked)}>
          {peeked ? peek.content(peeked) : <Nothing>It is not among the rows shown here.</Nothing>}
        </Peek>
      ) : null}
    </>
  )
}
