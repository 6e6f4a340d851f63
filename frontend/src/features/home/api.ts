import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

export const overviewQuery = (model: string | undefined) =>
  queryOptions({
    queryKey: ['overview', model],
    queryFn: ({ signal }) => body(api.GET('/api/v1/overview', { params: { query: { model } }, signal })),
  })
