import { infiniteQueryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

export type Filter = { action?: string; object_id?: string }

export const auditQuery = (filter: Filter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    initialPageParam: null as number | null,
    queryFn: ({ signal, pageParam }) =>
      body(
        api.GET('/api/v1/audit', {
          params: { query: { ...filter, limit: 100, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
  })

/** Reads the whole chain and compares it with the signed heads. */
export const verifyChain = () => body(api.POST('/api/v1/audit:verify'))
