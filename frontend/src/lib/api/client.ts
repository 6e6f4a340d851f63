import type { paths } from '@api/schema'
import createClient, { type Middleware } from 'openapi-fetch'
import { fromResponse } from './errors'

/** Every POST carries a key of its own, so that a retry by the network has one effect. */
const idempotency: Middleware = {
  onRequest({ request }) {
    if (request.method === 'POST') request.headers.set('Idempotency-Key', crypto.randomUUID())
    return request
  },
}

// `fetch` is looked up per call: a client that captures it early can't be intercepted in tests.
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  fetch: (request) => globalThis.fetch(request),
})
api.use(idempotency)

type Answer<T> = { data?: T; error?: unknown; response: Response }

/** The body of a good answer; throws ApiError for any other. */
export async function body<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call
  if (!response.ok || data === undefined) throw fromResponse(response, error)
  return data
}
