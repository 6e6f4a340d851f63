import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

export const ledgerQuery = (model: string) =>
  queryOptions({
    queryKey: ['ledger', model],
    queryFn: ({ signal }) => body(api.GET('/api/v1/ledger', { params: { query: { model } }, signal })),
  })
