import { type InfiniteData, infiniteQueryOptions } from '@tanstack/react-query'
import { useMemo } from 'react'

type Page<Item, Cursor> = { items: Item[]; next_cursor: Cursor | null }

/** A list that is read page by page, each from the cursor that the one before gave. */
export const pagesQuery = <Item, Cursor>(
  queryKey: readonly unknown[],
  read: (cursor: Cursor | null, signal: AbortSignal) => Promise<Page<Item, Cursor>>,
) =>
  infiniteQueryOptions({
    queryKey,
    initialPageParam: null as Cursor | null,
    queryFn: ({ signal, pageParam }) => read(pageParam as Cursor | null, signal),
    getNextPageParam: (page: Page<Item, Cursor>) => page.next_cursor,
  })

/** The rows of all pages read so far. */
export const useRows = <Item>(data: InfiniteData<{ items: Item[] }> | undefined): Item[] =>
  useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data])
