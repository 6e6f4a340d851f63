import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { actions, deployment, id, quiet, rollout } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

const shows = (json: object) => answers('/deployments/:model', json)

it('shows the traffic, the steps and both releases side by side', async () => {
  open('/deployment')
  expect(
    await screen.findByRole('img', { name: 'Traffic: champion v3 50 %, candidate v4 50 %' }),
  ).toBeVisible()
  const steps = screen.getByRole('list', { name: /Steps of the rollout/ })
  expect(steps).toHaveTextContent('10 %Passed, n 2250 %Hold, n 11100 %Ahead')
  expect(screen.getByText('11 of at least 20 requests seen on this step.')).toBeVisible()
  const live = within(screen.getByRole('region', { name: 'Live traffic' }))
  expect(live.getByRole('row', { name: /^Errors/ })).toHaveTextContent('Errors0 %n 400 %n 11')
  expect(live.getByRole('row', { name: /^Feedback/ })).toHaveTextContent('–no data–no data')
  await expectAccessible()
})

it('shows the checks of the last verdict with limit and n, and too little data as no pass', async () => {
  open('/deployment')
  const checks = within(await screen.findByRole('region', { name: 'Checks at the last verdict' }))
  expect(checks.getByRole('row', { name: /^Requests/ })).toHaveTextContent('RequestsToo few yet1201')
  expect(checks.getByRole('row', { name: /^Error rate/ })).toHaveTextContent('Pass')
})

it('tells the history with its reasons, and leaves out what has not ended', async () => {
  server.use(
    shows(
      quiet({
        history: [
          rollout({
            id: 'r9',
            kind: 'rollback',
            state: 'promoted',
            release_id: id(2),
            baseline: id(3),
            reason: 'asked for',
            finished_at: '2026-03-02T12:00:00Z',
          }),
          rollout({
            id: 'r8',
            state: 'rolled-back',
            reason: 'error rate 0.31',
            finished_at: '2026-03-02T12:01:02Z',
          }),
          rollout({ id: 'r7', reason: 'not ended' }),
        ],
      }),
    ),
  )
  open('/deployment')
  const history = within(await screen.findByRole('region', { name: 'History' }))
  await waitFor(() => expect(history.getAllByRole('row')[1]).toHaveTextContent('v3 → v2Rolled backasked for'))
  expect(history.getAllByRole('row')[2]).toHaveTextContent('v3 → v4Rolled backerror rate 0.311 min 2 s')
  expect(history.queryByText('not ended')).toBeNull()
})

it('rolls back with one confirmation that says what happens', async () => {
  let asked: unknown
  server.use(
    http.post(at('/deployments/support-assistant:rollback'), async ({ request }) => {
      asked = await request.json()
      return HttpResponse.json({ ...quiet({ revision: 8 }), rollback_ms: 21.4 })
    }),
  )
  const { user } = open('/deployment')
  await user.click(await screen.findByRole('button', { name: 'Roll back' }))
  const dialog = await screen.findByRole('dialog', { name: 'Roll v4 back?' })
  expect(dialog).toHaveTextContent('Candidate v4 goes from 50 % to 0 % of the requests at once')
  expect(dialog).toHaveTextContent('experts and router')
  expect(dialog).toHaveTextContent('data and suites')
  const confirm = within(dialog).getByRole('button', { name: 'Roll back to v3' })
  await waitFor(() => expect(confirm).toHaveFocus())
  await expectAccessible(dialog)
  server.use(shows(quiet({ revision: 8 })))
  await user.keyboard('{Enter}')
  expect(
    await screen.findByText(/Rolled back: v3 answers 100 % of the requests since .* \(21 ms\)\./),
  ).toBeVisible()
  expect(asked).toMatchObject({ expected_revision: 7, reason: 'asked for in the dashboard' })
  expect(await screen.findByRole('img', { name: 'Traffic: champion v3 100 %' })).toBeVisible()
  expect(screen.getByRole('button', { name: 'Roll back' })).toBeEnabled()
})

it('asks for nothing when the question is closed', async () => {
  const { user } = open('/deployment')
  await user.click(await screen.findByRole('button', { name: 'Roll back' }))
  await user.click(await screen.findByRole('button', { name: 'Keep as it is' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
})

it('offers the release before where no rollout is under way', async () => {
  server.use(shows(quiet()))
  const { user } = open('/deployment')
  await user.click(await screen.findByRole('button', { name: 'Roll back' }))
  const dialog = await screen.findByRole('dialog')
  await waitFor(() => expect(dialog).toHaveTextContent('All requests go from v3 to v2 at once'))
  expect(screen.getByText(/No rollout is under way. A release/)).toBeVisible()
})

it('keeps the red button in its place, disabled with the server’s reason, where there is nothing to go back to', async () => {
  server.use(
    shows(
      quiet({
        previous: null,
        allowed_actions: [
          { action: 'rollback', enabled: false, reason: 'there is no release before this one' },
        ],
      }),
    ),
  )
  open('/deployment')
  expect(await screen.findByRole('button', { name: 'Roll back' })).toBeDisabled()
  expect(screen.getByText('there is no release before this one')).toBeVisible()
})

it('says it when somebody else was quicker, and reads anew', async () => {
  let reads = 0
  server.use(
    http.get(at('/deployments/:model'), () => {
      reads += 1
      return HttpResponse.json(deployment())
    }),
    http.post(at('/deployments/support-assistant:promote'), () =>
      problem(409, 'Conflict', 'The deployment has changed.'),
    ),
  )
  const { user } = open('/deployment')
  await user.click(await screen.findByRole('button', { name: 'Promote' }))
  const before = reads
  await user.click(await screen.findByRole('button', { name: 'Promote v4' }))
  expect(await screen.findByRole('alert')).toHaveTextContent(
    'Conflict. The deployment has changed. Request req_42.',
  )
  await waitFor(() => expect(reads).toBeGreaterThan(before))
})

it('has only the buttons that the server allows', async () => {
  server.use(
    shows(
      deployment({
        rollout: rollout({ state: 'paused' }),
        allowed_actions: actions('promote', 'resume', 'abort', 'rollback'),
      }),
    ),
  )
  open('/deployment')
  expect(await screen.findByRole('button', { name: 'Resume' })).toBeEnabled()
  expect(screen.queryByRole('button', { name: 'Pause' })).toBeNull()
})

it('explains the page where nothing is deployed', async () => {
  server.use(http.get(at('/deployments/:model'), () => problem(404, 'Not found', 'Nothing is deployed.')))
  open('/deployment')
  expect(await screen.findByText('Nothing is deployed yet')).toBeVisible()
  await expectAccessible()
})

it('explains the page where there is no model', async () => {
  server.use(answers('/models', { items: [] }))
  open('/deployment')
  expect(await screen.findByText('Nothing is deployed yet')).toBeVisible()
})

it('tells a failure with its request id', async () => {
  server.use(fails('/deployments/:model'))
  open('/deployment')
  expect(await heading('Deployment')).toBeVisible()
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
  await expectAccessible()
})
