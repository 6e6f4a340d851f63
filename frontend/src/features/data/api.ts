import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'
import { pagesQuery } from '@/lib/api/pages'

const READ_AS: Record<string, string> = {
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
  pq: 'application/vnd.apache.parquet',
}

export const batchesQuery = (model: string) =>
  pagesQuery(['batches', model], (cursor: string | null, signal) =>
    body(api.GET('/api/v1/batches', { params: { query: { model, cursor } }, signal })),
  )

export const refusalsQuery = (batch: string) =>
  queryOptions({
    queryKey: ['refusals', batch],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/batches/{batch_id}/refusals', { params: { path: { batch_id: batch } }, signal })),
  })

export const conflictsQuery = (model: string) =>
  queryOptions({
    queryKey: ['conflicts', model],
    queryFn: ({ signal }) => body(api.GET('/api/v1/conflicts', { params: { query: { model } }, signal })),
  })

export const historyQuery = (model: string, of: string) =>
  queryOptions({
    queryKey: ['history', model, of],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/records/history', { params: { query: { model, of } }, signal })),
  })

export const decide = ({ id, decision }: { id: string; decision: string }) =>
  body(
    api.POST('/api/v1/conflicts/{conflict_id}:resolve', {
      params: { path: { conflict_id: id } },
      body: { decision },
    }),
  )

export type Delivery = { model: string; task: string; file: File; suite: boolean }

/** Sends a file as it is; its ending says how it is read, JSON lines where it says nothing. */
export const sendRows = ({ model, task, file, suite }: Delivery) => {
  const ending = file.name.split('.').at(-1)?.toLowerCase() ?? ''
  return body(
    api.POST('/api/v1/records', {
      params: { query: { model, task, suite, source: 'dashboard' } },
      body: file as unknown as string, // the API's description knows no files
      bodySerializer: (sent: unknown) => sent as BodyInit,
      headers: { 'Content-Type': READ_AS[ending] ?? 'application/jsonl' },
    }),
  )
}
