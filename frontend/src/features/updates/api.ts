import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'
import { pagesQuery } from '@/lib/api/pages'
import type { LogLine } from '@/lib/api/types'

export type Filter = { model?: string; state?: string }

export const updatesQuery = (filter: Filter) =>
  pagesQuery(['updates', filter], (cursor: string | null, signal) =>
    body(api.GET('/api/v1/updates', { params: { query: { ...filter, limit: 100, cursor } }, signal })),
  )

export const updateQuery = (id: string) =>
  queryOptions({
    queryKey: ['update', id],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/updates/{update_id}', { params: { path: { update_id: id } }, signal })),
  })

const LINES_KEPT = 2000
export type Log = { lines: LogLine[]; next: number; dropped: number }

/** The log, grown by what is new at each reading; only the last lines are kept in memory. */
export const logQuery = (id: string, client: QueryClient) =>
  queryOptions({
    queryKey: ['update-log', id],
    queryFn: async ({ signal }): Promise<Log> => {
      const old = client.getQueryData<Log>(['update-log', id]) ?? { lines: [], next: 0, dropped: 0 }
      const query = { after: old.next }
      const more = await body(
        api.GET('/api/v1/updates/{update_id}/log', { params: { path: { update_id: id }, query }, signal }),
      )
      const lines = [...old.lines, ...more.lines]
      const dropped = Math.max(0, lines.length - LINES_KEPT)
      return { lines: lines.slice(dropped), next: more.next, dropped: old.dropped + dropped }
    },
  })

export type Rollout = 'canary' | 'blue-green'

/** `rollout` undefined: as the model's policy says. */
export const startUpdate = (model: string, task: string, rollout?: Rollout) =>
  body(
    api.POST('/api/v1/updates', {
      body: { model, task, kind: 'learn', ...(rollout ? { rollout } : {}) },
    }),
  )

export const cancelUpdate = (id: string) =>
  body(api.POST('/api/v1/updates/{update_id}:cancel', { params: { path: { update_id: id } } }))
