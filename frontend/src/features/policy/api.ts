import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

/** `revision` undefined: as it is now. */
export const policyQuery = (model: string, revision?: number) =>
  queryOptions({
    queryKey: ['policy', model, revision],
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/models/{name}/policy', {
          params: { path: { name: model }, query: { revision } },
          signal,
        }),
      ),
  })

export const revisionsQuery = (model: string) =>
  queryOptions({
    queryKey: ['policy-revisions', model],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/models/{name}/policy/revisions', { params: { path: { name: model } }, signal })),
  })

type Edit = { model: string; seen: number; settings: Record<string, unknown>; dryRun: boolean }

/** Changes some settings, or with `dryRun` only says what would change. Another revision than the one that was seen is
 *  refused. */
export const editPolicy = ({ model, seen, settings, dryRun }: Edit) =>
  body(
    api.PATCH('/api/v1/models/{name}/policy', {
      params: { path: { name: model }, query: { dry_run: dryRun }, header: { 'if-match': `"${seen}"` } },
      body: settings,
    }),
  )
