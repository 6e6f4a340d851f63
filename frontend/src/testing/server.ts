import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import * as fixtures from './fixtures'

const HOST = 'http://localhost:3000'
export const at = (path: string): string => `${HOST}/api/v1${path}`

/** A problem+json answer, as the API gives them. */
export const problem = (status: number, title: string, detail: string) =>
  HttpResponse.json(
    { type: 'about:blank', title, status, detail, request_id: 'req_42' },
    { status, headers: { 'content-type': 'application/problem+json' } },
  )

export const answers = (path: string, json: object) => http.get(at(path), () => HttpResponse.json(json))
export const fails = (path: string, status = 503) =>
  http.get(at(path), () => problem(status, 'Unavailable', 'The database is locked. Try again in a moment.'))

const LOG = {
  lines: [{ n: 1, at: fixtures.NOW, level: 'info', stage: 'train', message: 'step 30 of 60' }],
  next: 1,
}

/** An installation in which a canary and an update are under way. */
export const server = setupServer(
  answers('/models', { items: [fixtures.model()] }),
  answers('/overview', fixtures.overview()),
  answers('/ledger', fixtures.ledger()),
  answers('/models/:name/tasks', {
    items: fixtures.model().tasks.map((task) => ({ ...task, rows: 1200, suite: 24 })),
    next_cursor: null,
  }),
  answers('/models/:name/policy', fixtures.policy()),
  answers('/models/:name/policy/revisions', { items: fixtures.revisions }),
  answers('/updates', { items: [fixtures.update()], next_cursor: null }),
  http.get(at('/updates/:id'), ({ params }) => HttpResponse.json(fixtures.update({ id: String(params.id) }))),
  http.get(at('/updates/:id/log'), ({ request }) =>
    HttpResponse.json(new URL(request.url).searchParams.get('after') === '0' ? LOG : { lines: [], next: 1 }),
  ),
  answers('/batches', { items: [fixtures.batch()], next_cursor: null }),
  answers('/batches/:id/refusals', { items: [fixtures.refusal()], next_cursor: null }),
  answers('/conflicts', { items: [], next_cursor: null }),
  answers('/records/history', { items: [] }),
  answers('/deployments/:model', fixtures.deployment()),
  http.get(at('/releases/:id'), ({ params }) =>
    HttpResponse.json(fixtures.releaseDetail({ release_id: String(params.id) })),
  ),
  answers('/audit', { items: [], next_cursor: null }),
  answers('/releases', { items: [1, 2, 3, 4].map(fixtures.release) }),
)
