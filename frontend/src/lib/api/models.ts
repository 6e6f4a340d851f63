import { queryOptions, useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import type { Stale } from '../page'
import { api, body } from './client'

/** What makes it stale, for the pages that read it. */
export const MODELS: Stale = { models: ['batch', 'task', 'model'] }

export const modelsQuery = () =>
  queryOptions({
    queryKey: ['models'],
    queryFn: ({ signal }) => body(api.GET('/api/v1/models', { signal })),
    staleTime: 30_000,
  })

/** The model that the page is about: the URL's, else the first one. */
export function useActiveModel() {
  const asked = useSearch({ strict: false }).model
  const query = useQuery(modelsQuery())
  const models = query.data?.items ?? []
  const name = asked ?? models[0]?.name
  return { name, model: models.find((m) => m.name === name), models, query }
}
