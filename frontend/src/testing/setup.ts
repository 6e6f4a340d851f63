import '@testing-library/jest-dom/vitest'
import { cleanup, configure } from '@testing-library/react'
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { FakeEventSource } from './eventSource'
import { server } from './server'

// A busy machine is slow, not wrong: waiting ends as soon as the thing waited for is there.
configure({ asyncUtilTimeout: 15_000 })

// What Mantine and the app ask of a browser and jsdom does not have. Less motion is wished for, so that what opens
// is visible at once and not after a time.
window.matchMedia = (query: string) =>
  ({
    matches: query.includes('reduced-motion'),
    media: query,
    onchange: null,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    dispatchEvent: () => false,
  }) as MediaQueryList
window.scrollTo = () => undefined
Element.prototype.scrollIntoView = () => undefined
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
}

// jsdom has no canvas; a test looks at what was to be drawn.
vi.mock('@/components/draw', () => ({ draw: vi.fn(() => () => undefined) }))

// A request that no handler knows fails the test that made it.
beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(() => {
  FakeEventSource.all = []
  vi.stubGlobal('EventSource', FakeEventSource)
})
afterEach(() => {
  cleanup()
  server.resetHandlers()
  localStorage.clear()
  vi.unstubAllGlobals()
})
afterAll(() => server.close())
