import { act, screen } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it, vi } from 'vitest'
import { FakeEventSource } from '@/testing/eventSource'
import { model, overview } from '@/testing/fixtures'
import { heading, open } from '@/testing/render'
import { answers, at, server } from '@/testing/server'

it('reads anew what an event tells of', async () => {
  open('/')
  await heading(/1 item needs you/)
  server.use(answers('/overview', overview({ verdict: { level: 'ok', sentence: 'All is well.' } })))
  act(() => FakeEventSource.last.emit('deployment', { object_id: 'support-assistant', revision: 8 }))
  expect(await heading('All is well.')).toBeVisible()
})

it('says when the page is no longer live', async () => {
  open('/')
  expect(await screen.findByText('Live')).toBeVisible()
  act(() => FakeEventSource.last.fail())
  expect(screen.getByText('Reconnecting')).toBeVisible()
})

it('changes the model for all pages, in the address', async () => {
  const asked = vi.fn()
  server.use(
    answers('/models', { items: [model(), model({ name: 'billing', tasks: [], demo: false })] }),
    http.get(at('/overview'), ({ request }) => {
      asked(new URL(request.url).searchParams.get('model'))
      return HttpResponse.json(overview())
    }),
  )
  const { user, router } = open('/')
  await user.selectOptions(await screen.findByRole('combobox', { name: 'Model' }), 'billing')
  expect(router.state.location.search).toEqual({ model: 'billing' })
  await vi.waitFor(() => expect(asked).toHaveBeenLastCalledWith('billing'))
  expect(screen.getByRole('link', { name: 'Updates' })).toHaveAttribute('href', '/updates?model=billing')
})

it('moves between pages by keyboard, unless the shortcuts are off', async () => {
  const { user, router } = open('/')
  await heading(/Serving/)
  await user.keyboard('gu')
  expect(await heading('Updates')).toBeVisible()
  await user.keyboard('gd')
  expect(await heading('Deployment')).toBeVisible()
  await user.keyboard('?')
  await user.click(await screen.findByRole('switch', { name: 'Single-key shortcuts' }))
  await user.keyboard('{Escape}')
  await user.keyboard('gh')
  expect(router.state.location.pathname).toBe('/deployment')
})

it('changes the theme', async () => {
  const { user } = open('/')
  await user.click(await screen.findByRole('button', { name: 'Use the dark theme' }))
  expect(document.documentElement).toHaveAttribute('data-mantine-color-scheme', 'dark')
  await user.click(screen.getByRole('button', { name: 'Use the light theme' }))
  expect(document.documentElement).toHaveAttribute('data-mantine-color-scheme', 'light')
})

it('knows when there is no such page', async () => {
  open('/nowhere')
  expect(await screen.findByRole('alert')).toHaveTextContent('No such page')
})
