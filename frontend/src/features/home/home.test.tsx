import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { overview, update } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, fails, server } from '@/testing/server'

const panel = (name: RegExp) => within(screen.getByRole('region', { name }))

it('tells how things stand in one sentence', async () => {
  open('/')
  expect(await heading('Serving support-assistant v3, 1 item needs you.')).toBeVisible()
  expect(screen.getByRole('img', { name: 'Traffic: champion v3 90 %, candidate v4 10 %' })).toBeVisible()
  expect(screen.getByText('Rollout begins: rol_4')).toBeVisible()
  await expectAccessible()
})

it('shows the ledger as a table with the numbers in it', async () => {
  open('/')
  await heading(/Serving/)
  const table = panel(/^Ledger: /).getByRole('table')
  expect(within(table).getByRole('row', { name: /^intent/ })).toHaveTextContent('0.41 !')
  expect(within(table).getByRole('row', { name: /^details/ })).toHaveTextContent('not evaluated')
  expect(within(table).getByRole('columnheader', { name: /champion v3/ })).toBeVisible()
  expect(within(table).getByRole('link', { name: 'trial' })).toHaveAttribute('href', '/updates/upd_9')
  expect(screen.getByText('−0.010')).toBeVisible()
})

it('shows the running update with its progress, and where it leads', async () => {
  open('/')
  await heading(/Serving/)
  const running = panel(/Running update/)
  expect(running.getByRole('progressbar', { name: 'train progress' })).toHaveAttribute('aria-valuenow', '50')
  expect(running.getByText('about 35 s left')).toBeVisible()
  expect(running.getByText('412 tokens/s')).toBeVisible()
  expect(running.getByRole('link', { name: 'facts' })).toHaveAttribute('href', '/updates/upd_1')
})

it('calls a job stalled that was not heard of for long', async () => {
  const silent = update()
  server.use(
    answers(
      '/overview',
      overview({
        running_update: {
          ...silent,
          progress: silent.progress && {
            ...silent.progress,
            at: new Date(Date.now() - 120_000).toISOString(),
          },
        },
      }),
    ),
  )
  open('/')
  expect(await screen.findByText(/stalled: nothing heard for 2 min/)).toBeVisible()
  expect(screen.queryByText(/left$/)).toBeNull()
})

it('leads to what needs attention', async () => {
  open('/')
  expect(await screen.findByRole('link', { name: 'Update of intent was rejected.' })).toHaveAttribute(
    'href',
    '/updates/upd_9',
  )
})

it('says so when nothing runs and nothing needs anyone', async () => {
  server.use(
    answers('/overview', overview({ running_update: null, attention: [], events: [], ledger: null })),
  )
  open('/')
  expect(await screen.findByText('Nothing needs you.')).toBeVisible()
  expect(screen.getByText(/Nothing is running/)).toBeVisible()
  expect(screen.getByText(/No task has been scored yet/)).toBeVisible()
  await expectAccessible()
})

it('welcomes a newcomer with the first steps', async () => {
  const empty = overview({
    verdict: { level: 'empty', sentence: 'No model yet.' },
    models: [],
    model: null,
    serving: null,
    ledger: null,
    running_update: null,
  })
  server.use(answers('/overview', empty), answers('/models', { items: [] }))
  open('/')
  expect(await screen.findByText(/clm model create/)).toBeVisible()
  expect(screen.getAllByRole('listitem').length).toBeGreaterThanOrEqual(3)
  await expectAccessible()
})

it('tells a failure with its request id, and tries again', async () => {
  server.use(fails('/overview'))
  const { user } = open('/')
  const alert = await screen.findByRole('alert')
  expect(alert).toHaveTextContent('The database is locked')
  expect(alert).toHaveTextContent('req_42')
  await expectAccessible()
  server.use(answers('/overview', overview()))
  await user.click(screen.getByRole('button', { name: 'Try again' }))
  expect(await heading(/Serving support-assistant/)).toBeVisible()
})
