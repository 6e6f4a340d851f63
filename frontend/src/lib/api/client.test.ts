import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { at, problem, server } from '@/testing/server'
import { api, body } from './client'
import { ApiError, asApiError } from './errors'

const get = () => body(api.GET('/api/v1/models'))

it('gives the body of a good answer', async () => {
  expect((await get()).items[0]?.name).toBe('support-assistant')
})

it('throws what problem+json says, with the request id', async () => {
  server.use(http.get(at('/models'), () => problem(409, 'Conflict', 'Somebody else was quicker.')))
  await expect(get()).rejects.toEqual(new ApiError(409, 'Conflict', 'Somebody else was quicker.', 'req_42'))
})

it('copes with an error that is not JSON, and finds the id in the header', async () => {
  const headers = { 'x-request-id': 'req_7' }
  server.use(
    http.get(at('/models'), () => new HttpResponse('<h1>Bad gateway</h1>', { status: 502, headers })),
  )
  await expect(get()).rejects.toMatchObject({ status: 502, requestId: 'req_7' })
})

it('says what to do when nobody answers', async () => {
  server.use(http.get(at('/models'), () => HttpResponse.error()))
  const error = asApiError(await get().catch((thrown: unknown) => thrown))
  expect(error).toMatchObject({ status: 0, title: 'No answer' })
  expect(error.detail).toContain('clm up')
})

it('gives every POST an idempotency key of its own, and no GET', async () => {
  const seen: (string | null)[] = []
  server.use(
    http.post(at('/updates'), ({ request }) => {
      seen.push(request.headers.get('idempotency-key'))
      return problem(409, 'Conflict', 'No.')
    }),
    http.get(at('/models'), ({ request }) => {
      seen.push(request.headers.get('idempotency-key'))
      return HttpResponse.json({ items: [] })
    }),
  )
  const post = () =>
    body(api.POST('/api/v1/updates', { body: { model: 'm', task: 't', kind: 'learn' } })).catch(() => null)
  await post()
  await post()
  await get()
  expect(seen[0]).toMatch(/^[0-9a-f-]{36}$/)
  expect(seen[1]).not.toBe(seen[0])
  expect(seen[2]).toBeNull()
})
