import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '@/testing/render'
import { MENU, MENU_PAGES, NAMES, PAGES, staleKeys, TOPICS } from './pages'

it('has every page in the menu and on the sheet of shortcuts, each under its own key', async () => {
  const { user } = open('/')
  const menu = within(await screen.findByRole('navigation', { name: 'Pages' }))
  for (const page of MENU_PAGES)
    expect(menu.getByRole('link', { name: page.name })).toHaveAttribute('href', page.path)
  await user.keyboard('?')
  const sheet = within(await screen.findByRole('dialog'))
  for (const page of MENU_PAGES) expect(sheet.getByText(page.name)).toBeVisible()
  expect(new Set(MENU_PAGES.map((page) => page.menu.shortcut)).size).toBe(MENU_PAGES.length)
})

it('goes to every page by its keys', async () => {
  const { user, router } = open('/nowhere')
  expect(await screen.findByText(new RegExp(NAMES))).toBeVisible()
  for (const page of MENU_PAGES) {
    await user.keyboard(`g${page.menu.shortcut}`)
    expect(router.state.location.pathname).toBe(page.path)
  }
})

it('shows the sections in their order, each page once', () => {
  expect(MENU.map((part) => part.section)).toEqual(
    ['Home', 'Data', 'Models', 'Training', 'Performance', 'Deployment', 'Configuration', 'Reports'], // the others have no page yet
  )
  expect(MENU_PAGES).toHaveLength(PAGES.filter((page) => page.menu).length)
})

it.each(PAGES.map((page) => page.path))(
  'names all that %s reads, so that an event can make it stale',
  async (path) => {
    const { client } = open(path.replace('$id', 'upd_1'))
    await screen.findByRole('heading', { level: 1 })
    const known = staleKeys(TOPICS)
    for (const query of client.getQueryCache().getAll()) expect(known).toContain(query.queryKey[0])
  },
)

it('makes stale what an event tells of, and nothing else', () => {
  expect(staleKeys(['conflict'])).toEqual(new Set(['overview', 'conflicts', 'history']))
  expect(staleKeys([])).toEqual(new Set())
})
