import { screen, within } from '@testing-library/react'
import { expect, it, vi } from 'vitest'
import { actions, deployment, id } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, fails, server } from '@/testing/server'

async function palette(path = '/audit') {
  const opened = open(path)
  await heading('Audit')
  await opened.user.keyboard('{Control>}k{/Control}')
  const dialog = within(await screen.findByRole('dialog', { name: /Find a page/ }))
  return { ...opened, dialog }
}

it('leads to a page by a few letters and Enter', async () => {
  const { user, router, dialog } = await palette()
  expect(await dialog.findByRole('option', { name: /Release v3/ })).toBeVisible()
  await expectAccessible()
  await user.keyboard('pages led{Enter}')
  expect(await heading('Ledger')).toBeVisible()
  expect(router.state.location.pathname).toBe('/ledger')
  expect(screen.queryByRole('dialog')).toBeNull()
})

it.each([
  ['upd_77', '/updates/upd_77'],
  [id(9), `/releases/${id(9)}`],
  ['release 2', `/releases/${id(2)}`],
])('opens an object by %s', async (text, path) => {
  const { user, router, dialog } = await palette()
  await dialog.findByRole('option', { name: /Release v3/ })
  await user.keyboard(`${text}{Enter}`)
  await vi.waitFor(() => expect(router.state.location.pathname).toBe(path))
})

it('offers what the server allows, and asks before it is done', async () => {
  server.use(answers('/deployments/:model', deployment({ allowed_actions: actions('rollback') })))
  const { user, router, dialog } = await palette()
  await user.click(await dialog.findByRole('option', { name: /Roll back to v3/ }))
  expect(await screen.findByRole('dialog', { name: 'Roll v4 back?' })).toBeVisible()
  await user.click(screen.getByRole('button', { name: 'Keep as it is' }))
  await vi.waitFor(() => expect(router.state.location.search).not.toHaveProperty('ask', 'rollback'))
})

it('leads to the question whether to cancel an update', async () => {
  const { user, dialog } = await palette()
  await user.click(await dialog.findByRole('option', { name: /Cancel the update of facts/ }))
  expect(await screen.findByRole('dialog', { name: 'Cancel the update of facts?' })).toBeVisible()
})

it('offers the rest where a part can not be asked, and says when nothing fits', async () => {
  server.use(fails('/updates'))
  const { user, dialog } = await palette()
  expect(await dialog.findByRole('option', { name: /Roll back/ })).toBeVisible()
  expect(dialog.queryByRole('option', { name: /Update of/ })).toBeNull()
  await user.keyboard('nonsense')
  expect(await dialog.findByText(/Nothing fits/)).toBeVisible()
})
