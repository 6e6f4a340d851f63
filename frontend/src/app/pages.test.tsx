import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '@/testing/render'
import { answers, server } from '@/testing/server'
import { NAMES, PAGES } from './pages'

it('has every page in the menu and on the sheet of shortcuts, each under its own key', async () => {
  const { user } = open('/')
  const menu = within(await screen.findByRole('navigation', { name: 'Pages' }))
  for (const page of PAGES)
    expect(menu.getByRole('link', { name: page.name })).toHaveAttribute('href', page.to)
  await user.keyboard('?')
  const sheet = within(await screen.findByRole('dialog'))
  for (const page of PAGES) expect(sheet.getByText(page.name)).toBeVisible()
  expect(new Set(PAGES.map((page) => page.key)).size).toBe(PAGES.length)
})

it('goes to every page by its keys', async () => {
  server.use(answers('/audit', { items: [], next_cursor: null }))
  const { user, router } = open('/nowhere')
  expect(await screen.findByText(new RegExp(NAMES))).toBeVisible()
  for (const page of PAGES) {
    await user.keyboard(`g${page.key}`)
    expect(router.state.location.pathname).toBe(page.to)
  }
})
