import { screen, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { id, release } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, server } from '@/testing/server'

const DETAIL = {
  ...release(3),
  alias: 'champion',
  parent: id(2),
  update_id: 'upd_3',
  experts: { intent: 'e'.repeat(64) },
  router_hash: 'f'.repeat(64),
  verdict: 'pass',
  manifest: {
    lineage: {
      task: 'intent',
      scores: { intent: { score: 0.925, n: 80, metric: 'exact_match' } },
      gate: { reason: 'No task lost more than its margin.' },
    },
  },
}

it('lists what can be served and opens one', async () => {
  const { user, router } = open('/releases')
  await heading('Releases')
  const rows = within(await screen.findByRole('table', { name: /Releases of/ })).getAllByRole('row')
  expect(rows).toHaveLength(5)
  await expectAccessible()
  server.use(http.get(at('/releases/:id'), () => HttpResponse.json(DETAIL)))
  await user.click(within(rows[2] as HTMLElement).getByRole('link'))
  await heading('Release v3')
  expect(router.state.location.pathname).toBe(`/releases/${id(2)}`)
  expect(screen.getByText('No task lost more than its margin.')).toBeVisible()
  const experts = within(screen.getByRole('table', { name: /expert is/ })).getAllByRole('row')
  expect(experts[1]).toHaveTextContent('intenteeeeeeeeeeee')
  expect(experts[1]).toHaveTextContent('0.9380') // score 0.93 of n 80
  expect(screen.getByRole('link', { name: 'the update that made it' })).toHaveAttribute(
    'href',
    '/updates/upd_3',
  )
  await expectAccessible()
})

it.each([
  [true, 'All 13 files and the signature hold.', 'Verifies'],
  [false, 'router/router.json was changed.', 'Does not verify'],
])('says whether files and signature hold: %s', async (ok, reason, word) => {
  server.use(
    http.get(at('/releases/:id'), () => HttpResponse.json(DETAIL)),
    http.post(/\/releases\/[^/]+:verify$/, () => HttpResponse.json({ release_id: id(3), ok, reason })),
  )
  const { user } = open(`/releases/${id(3)}`)
  await user.click(await screen.findByRole('button', { name: 'Verify now' }))
  expect(await screen.findByText(word)).toBeVisible()
  expect(screen.getByText(reason)).toBeVisible()
  await expectAccessible()
})

it('shows the base alone as that', async () => {
  server.use(http.get(at('/releases/:id'), () => HttpResponse.json({ ...release(1), manifest: {} })))
  open(`/releases/${id(1)}`)
  await heading('Release v1')
  expect(screen.getByText(/the untouched base answers everything/)).toBeVisible()
})

it('tells a failure with its request id, and where there is no model', async () => {
  server.use(fails('/releases'))
  const { unmount } = open('/releases')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
  unmount()
  server.use(answers('/models', { items: [] }))
  open('/releases')
  expect(await screen.findByText('No model yet')).toBeVisible()
})
