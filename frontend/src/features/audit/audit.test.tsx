import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { NOW } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, server } from '@/testing/server'

const entry = (sequence: number) => ({
  sequence,
  at: NOW,
  actor: 'cli:ada',
  action: 'task.edit',
  object_kind: 'task',
  object_id: 'support/intent',
  before: { margin: 0.05 },
  after: { margin: 0.03 },
  reason: null,
  request_id: null,
  hash: 'a'.repeat(64),
})

it('shows who changed what, from what to what, page by page', async () => {
  server.use(
    http.get(at('/audit'), ({ request }) => {
      const cursor = new URL(request.url).searchParams.get('cursor')
      return HttpResponse.json(
        cursor === '2'
          ? { items: [entry(1)], next_cursor: null }
          : { items: [entry(3), entry(2)], next_cursor: 2 },
      )
    }),
  )
  const { user } = open('/audit')
  await heading('Audit')
  const table = await screen.findByRole('table', { name: /Audit entries/ })
  expect(within(table).getAllByRole('row')[1]).toHaveTextContent(
    'task.edittask support/intentcli:adamargin 0.05 → 0.03',
  )
  await user.click(screen.getByRole('button', { name: 'Show older' }))
  await waitFor(() => expect(within(table).getAllByRole('row')).toHaveLength(4))
  expect(screen.queryByRole('button', { name: 'Show older' })).toBeNull()
  await expectAccessible()
})

it('keeps its filters in the address', async () => {
  const asked: string[] = []
  server.use(
    http.get(at('/audit'), ({ request }) => {
      asked.push(new URL(request.url).search)
      return HttpResponse.json({ items: [], next_cursor: null })
    }),
  )
  const { user, router } = open('/audit?object=upd_1')
  expect(await screen.findByText('Nothing matches')).toBeVisible()
  expect(asked[0]).toContain('object_id=upd_1')
  await user.clear(screen.getByLabelText('Object'))
  await waitFor(() => expect(router.state.location.search).not.toHaveProperty('object', 'upd_1'))
  expect(await screen.findByText('Nothing has happened yet')).toBeVisible()
})

it.each([
  [true, null, 'The chain holds'],
  [false, 17, 'The chain is broken'],
])('verifies the chain when asked: %s', async (ok, first_bad, word) => {
  server.use(
    answers('/audit', { items: [entry(1)], next_cursor: null }),
    http.post(/\/audit:verify$/, () =>
      HttpResponse.json({
        ok,
        first_bad,
        entries: 18,
        anchored: 12,
        reason: ok ? 'Every link holds.' : 'Entry 17 was changed.',
      }),
    ),
  )
  const { user } = open('/audit')
  await user.click(await screen.findByRole('button', { name: 'Verify now' }))
  expect(await screen.findByText(word)).toBeVisible()
  expect(screen.getByText(ok ? 'Every link holds.' : 'Entry 17 was changed.')).toBeVisible()
  await expectAccessible()
})

it('tells a failure with its request id', async () => {
  server.use(fails('/audit'))
  open('/audit')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
})
