import { act, render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import axe from 'axe-core'
import { expect } from 'vitest'
import { App, makeClient } from '@/app/App'
import { makeRouter } from '@/app/router'
import { FakeEventSource } from './eventSource'

/** The whole app at an address, with its event stream open. */
export function open(path: string) {
  const router = makeRouter(path)
  const client = makeClient(false)
  const view = render(<App router={router} client={client} />)
  act(() => FakeEventSource.last.open())
  return { ...view, router, client, user: userEvent.setup() }
}

export const heading = (name: string | RegExp) => screen.findByRole('heading', { level: 1, name })

/** Nothing that axe finds. Colours need a real browser; they are checked in the end-to-end tests. */
export async function expectAccessible(element: Element = document.body) {
  const { violations } = await axe.run(element, { rules: { 'color-contrast': { enabled: false } } })
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`)).toEqual([])
}
