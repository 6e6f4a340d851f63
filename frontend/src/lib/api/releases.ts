import { queryOptions, useQuery } from '@tanstack/react-query'
import { release } from '@/lib/format'
import type { Stale } from '../page'
import { api, body } from './client'
import type { Release } from './types'

/** What makes it stale, for the pages that read it. */
export const RELEASES: Stale = { releases: ['release', 'deployment'] }

export const releasesQuery = (model: string) =>
  queryOptions({
    queryKey: ['releases', model],
    queryFn: ({ signal }) => body(api.GET('/api/v1/releases', { params: { query: { model } }, signal })),
    staleTime: 10_000,
  })

/** Names releases by their number ("v3") where it is known, by the start of their id where not. */
export type NameOf = (releaseId: string | null) => string

export function namer(releases: Release[]): NameOf {
  const numbers = new Map(releases.map((r) => [r.release_id, r.number]))
  return (id) => release(id ? numbers.get(id) : null, id)
}

export function useReleaseNames(model: string | undefined): NameOf {
  const query = useQuery({ ...releasesQuery(model ?? ''), enabled: Boolean(model) })
  return namer(query.data?.items ?? [])
}
