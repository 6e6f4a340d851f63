import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

export const releaseQuery = (id: string) =>
  queryOptions({
    queryKey: ['release', id],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/releases/{release_id}', { params: { path: { release_id: id } }, signal })),
  })

/** Compares every file of the release's folder with its digest, and checks the signature. */
export const verifyRelease = (id: string) =>
  body(api.POST('/api/v1/releases/{release_id}:verify', { params: { path: { release_id: id } } }))
