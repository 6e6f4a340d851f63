import { act, screen, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import type { UpdateStage } from '@/lib/api/types'
import { FakeEventSource } from '@/testing/eventSource'
import { gate, id, stages, update } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, problem, server } from '@/testing/server'

it('shows seven stages from left to right, and what a stage made', async () => {
  const { user, router } = open('/updates/upd_1')
  await heading('Update of facts')
  const rail = screen.getByRole('list', { name: 'Stages of this update' })
  const buttons = within(rail).getAllByRole('button')
  expect(buttons.map((b) => b.textContent?.match(/^[A-Z][a-z]+/)?.[0])).toEqual([
    'Snapshot',
    'Mixture',
    'Train',
    'Evaluate',
    'Gate',
    'Release',
    'Rollout',
  ])
  expect(buttons[0]).toHaveTextContent('5.0 s')
  expect(buttons[2]).toHaveTextContent('attempt 2')
  expect(buttons[4]).toHaveTextContent('Waiting')
  await user.click(buttons[1] as HTMLElement)
  expect(screen.getByText('New rows').nextSibling).toHaveTextContent('160')
  expect(screen.getByText('Content hash').nextSibling).toHaveTextContent('777777777777')
  expect(router.state.location.search).toEqual({ stage: 'mixture' })
  await expectAccessible()
})

it('restores the shown stage from the address', async () => {
  open('/updates/upd_1?stage=mixture')
  expect(await screen.findByText('New rows')).toBeVisible()
})

it('shows the log and adds what is new', async () => {
  open('/updates/upd_1')
  expect(await screen.findByText('step 30 of 60')).toBeVisible()
  const more = {
    lines: [{ n: 2, at: '2026-03-02T12:00:09Z', level: 'warning', stage: 'train', message: 'slow' }],
    next: 2,
  }
  server.use(
    http.get(at('/updates/:id/log'), ({ request }) =>
      HttpResponse.json(
        new URL(request.url).searchParams.get('after') === '1' ? more : { lines: [], next: 2 },
      ),
    ),
  )
  act(() => FakeEventSource.last.emit('update', { object_id: 'upd_1', revision: 5 }))
  expect(await screen.findByText('slow')).toBeVisible()
  expect(screen.getByText('step 30 of 60')).toBeVisible()
})

it.each(['pass', 'fail', 'inconclusive'] as const)(
  'shows the gate’s %s per task with its reason',
  async (verdict) => {
    const ended = update({
      state: 'rejected',
      stage: null,
      verdict: gate(verdict),
      outcome: 'It ended.',
      allowed_actions: [],
      stages: stages(4, 'failed'),
    })
    server.use(answers('/updates/:id', ended))
    open('/updates/upd_1')
    const region = within(await screen.findByRole('region', { name: 'Gate' }))
    const row = region.getByRole('row', { name: /^intent/ })
    expect(row).toHaveTextContent('0.41 against 0.93 on 80 examples')
    expect(row).toHaveTextContent('−0.52')
    expect(row).toHaveTextContent({ pass: 'Pass', fail: 'Fail', inconclusive: 'Inconclusive' }[verdict])
    if (verdict === 'inconclusive') expect(row).toHaveTextContent('About 140 more examples')
    expect(screen.getByText('It ended.')).toBeVisible()
    expect(screen.queryByRole('button', { name: 'Cancel update' })).toBeNull()
    await expectAccessible()
  },
)

it('shows what was tried to repair it, and which try was kept', async () => {
  const look = { kind: 'interpolate', replay_share: null, expert_hash: id(6) } as const
  const [snapshot, mixture, train, evaluate, said, released, rollout] = stages(7)
  const no = { ...said, state: 'failed' } as UpdateStage
  const repair = {
    ...said,
    name: 'repair',
    detail: { tries: 2, reason: 'Repaired by try 2 of 2.' },
  } as UpdateStage
  const repaired = update({
    state: 'succeeded',
    stage: null,
    verdict: gate('pass'),
    allowed_actions: [],
    stages: [snapshot, mixture, train, evaluate, no, repair, released, rollout] as UpdateStage[],
    tries: [
      {
        ...look,
        step: 0.5,
        scores: { facts: 0.6 },
        gain: -0.1,
        verdict: 'fail',
        reason: 'Too bad.',
        kept: false,
      },
      {
        ...look,
        step: 0.25,
        scores: { facts: 0.8 },
        gain: 0.1,
        verdict: 'pass',
        reason: 'Fine.',
        kept: true,
      },
    ],
  })
  server.use(answers('/updates/:id', repaired))
  const { user } = open('/updates/upd_1')
  const region = within(await screen.findByRole('region', { name: 'Repair' }))
  expect(region.getByRole('row', { name: /^Step 0.5 from/ })).toHaveTextContent(
    'Too bad.Failfacts 0.60−0.10no',
  )
  expect(region.getByRole('row', { name: /^Step 0.25 from/ })).toHaveTextContent(
    'Fine.Passfacts 0.80+0.10yes',
  )
  const rail = within(screen.getByRole('list', { name: 'Stages of this update' }))
  expect(rail.getAllByRole('button')).toHaveLength(8)
  await user.click(rail.getByRole('button', { name: /^Gate/ }))
  expect(screen.getByText('Said no')).toBeVisible()
  await expectAccessible()
})

it('cancels after one question', async () => {
  server.use(http.post(at('/updates/upd_1:cancel'), () => HttpResponse.json(update({ state: 'cancelling' }))))
  const { user } = open('/updates/upd_1')
  await user.click(await screen.findByRole('button', { name: 'Cancel update' }))
  const dialog = await screen.findByRole('dialog')
  server.use(answers('/updates/:id', update({ state: 'cancelling', allowed_actions: [] })))
  await user.click(within(dialog).getByRole('button', { name: 'Cancel update' }))
  expect(await screen.findByText('Cancelling')).toBeVisible()
  expect(screen.queryByRole('button', { name: 'Cancel update' })).toBeNull()
})

it('tells that there is no such update', async () => {
  server.use(http.get(at('/updates/:id'), () => problem(404, 'Not found', 'There is no update upd_x.')))
  open('/updates/upd_x')
  expect(await screen.findByRole('alert')).toHaveTextContent('There is no update upd_x.')
})
