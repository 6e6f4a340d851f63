import { act, screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { FakeEventSource } from '@/testing/eventSource'
import { id, model, update } from '@/testing/fixtures'
import { expectAccessible, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

const list = (...items: ReturnType<typeof update>[]) => answers('/updates', { items, next_cursor: null })
const bodyRows = async () =>
  within(await screen.findByRole('table'))
    .getAllByRole('row')
    .slice(1)

it('lists updates with state, stages, release and reason', async () => {
  server.use(
    list(
      update(),
      update({
        id: 'upd_0',
        task: 'intent',
        state: 'succeeded',
        release_id: id(3),
        release_number: 3,
        outcome: 'v3 serves.',
      }),
    ),
  )
  open('/updates')
  const [first, second] = await bodyRows()
  expect(first).toHaveTextContent('Running')
  expect(within(first as HTMLElement).getByRole('img', { name: '2 of 7 stages done' })).toBeVisible()
  expect(second).toHaveTextContent('v3 serves.')
  expect(within(second as HTMLElement).getByRole('link', { name: 'intent' })).toHaveAttribute(
    'href',
    '/updates/upd_0',
  )
  await expectAccessible()
})

it('keeps new updates behind a pill until they are wanted', async () => {
  const { user } = open('/updates')
  expect(await bodyRows()).toHaveLength(1)
  server.use(list(update({ id: 'upd_2', task: 'intent' }), update()))
  act(() => FakeEventSource.last.emit('update', { object_id: 'upd_2', revision: 1 }))
  const pill = await screen.findByRole('button', { name: '1 new' })
  expect(await bodyRows()).toHaveLength(1)
  await user.click(pill)
  expect(await bodyRows()).toHaveLength(2)
})

it('filters by state, in the address, and clears the filter', async () => {
  server.use(
    http.get(at('/updates'), ({ request }) => {
      const { searchParams } = new URL(request.url)
      const items = searchParams.get('state') === 'failed' ? [] : [update()]
      return HttpResponse.json({ items, next_cursor: null })
    }),
  )
  const { user, router } = open('/updates')
  await user.click(await screen.findByRole('radio', { name: 'Failed' }))
  expect(router.state.location.search).toEqual({ state: 'failed' })
  expect(await screen.findByText('No update is failed')).toBeVisible()
  await user.click(screen.getByRole('button', { name: 'Clear the filter' }))
  expect(await bodyRows()).toHaveLength(1)
})

it('walks rows with j and k and opens one with Enter', async () => {
  server.use(list(update({ id: 'upd_b', task: 'intent' }), update({ id: 'upd_a' })))
  const { user, router } = open('/updates')
  await bodyRows()
  await user.keyboard('jjk')
  expect(document.activeElement).toHaveTextContent('intent')
  await user.keyboard('j{Enter}')
  await waitFor(() => expect(router.state.location.pathname).toBe('/updates/upd_a'))
})

it('explains what an update is where there is none', async () => {
  server.use(list())
  open('/updates')
  expect(await screen.findByText('No update yet')).toBeVisible()
  await expectAccessible()
})

it('tells a failure with its request id', async () => {
  server.use(fails('/updates'))
  open('/updates')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
  await expectAccessible()
})

it('starts an update of the chosen task and shows it', async () => {
  let asked: unknown
  server.use(
    http.post(at('/updates'), async ({ request }) => {
      asked = await request.json()
      return HttpResponse.json(update({ id: 'upd_77', task: 'details' }), { status: 201 })
    }),
  )
  const { user, router } = open('/updates')
  await user.click(await screen.findByRole('button', { name: 'Start update' }))
  const dialog = await screen.findByRole('dialog')
  await user.click(within(dialog).getByRole('radio', { name: /details/ }))
  await expectAccessible(dialog)
  expect(within(dialog).getByRole('radio', { name: /Canary \(the policy\)/ })).toBeChecked()
  await user.click(within(dialog).getByRole('button', { name: 'Start update of details' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/updates/upd_77'))
  expect(asked).toEqual({ model: 'support-assistant', task: 'details', kind: 'learn' })
})

it('lets the release take all traffic at once where that is wished', async () => {
  let asked: unknown
  server.use(
    http.post(at('/updates'), async ({ request }) => {
      asked = await request.json()
      return HttpResponse.json(update({ id: 'upd_78' }), { status: 201 })
    }),
  )
  const { user, router } = open('/updates')
  await user.click(await screen.findByRole('button', { name: 'Start update' }))
  const dialog = await screen.findByRole('dialog')
  await user.click(within(dialog).getByRole('radio', { name: /Blue-green/ }))
  await user.click(within(dialog).getByRole('button', { name: 'Start update of intent' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/updates/upd_78'))
  expect(asked).toMatchObject({ task: 'intent', rollout: 'blue-green' })
})

it('says in the dialog why an update was refused', async () => {
  server.use(http.post(at('/updates'), () => problem(409, 'Conflict', 'One is waiting already.')))
  const { user } = open('/updates')
  await user.click(await screen.findByRole('button', { name: 'Start update' }))
  await user.click(await screen.findByRole('button', { name: 'Start update of intent' }))
  expect(await screen.findByRole('alert')).toHaveTextContent(
    'Conflict. One is waiting already. Request req_42.',
  )
})

it('offers no start for a model without tasks', async () => {
  server.use(answers('/models', { items: [model({ tasks: [] })] }))
  open('/updates')
  expect(await screen.findByRole('button', { name: 'Start update' })).toBeDisabled()
})
