import { api, body } from '@/lib/api/client'
import { pagesQuery } from '@/lib/api/pages'

export type Filter = { action?: string; object_id?: string }

export const auditQuery = (filter: Filter) =>
  pagesQuery(['audit', filter], (cursor: number | null, signal) =>
    body(api.GET('/api/v1/audit', { params: { query: { ...filter, limit: 100, cursor } }, signal })),
  )

/** Reads the whole chain and compares it with the signed heads. */
export const verifyChain = () => body(api.POST('/api/v1/audit:verify'))
