import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FakeEventSource } from '@/testing/eventSource'
import { type LiveEvent, type LiveStatus, openLiveStream } from './live'

const heard = { events: [] as LiveEvent[][], resumed: 0, statuses: [] as LiveStatus[] }
let close = () => {}

function hide(hidden: boolean) {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden)
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  Object.assign(heard, { events: [], resumed: 0, statuses: [] })
  close = openLiveStream(['update', 'deployment'], {
    onEvents: (events, resumed) => {
      if (resumed) heard.resumed += 1
      else heard.events.push(events)
    },
    onStatus: (status) => heard.statuses.push(status),
  })
})

afterEach(() => {
  close()
  vi.useRealTimers()
})

it('asks for all topics on one connection', () => {
  expect(FakeEventSource.all).toHaveLength(1)
  expect(FakeEventSource.last.url).toBe('/api/v1/events?topics=update,deployment')
})

it('gathers half a second of events', () => {
  FakeEventSource.last.emit('update', { object_id: 'upd_1', revision: 2 })
  vi.advanceTimersByTime(300)
  FakeEventSource.last.emit('deployment', { object_id: 'm', revision: 3 })
  expect(heard.events).toEqual([])
  vi.advanceTimersByTime(200)
  expect(heard.events).toEqual([
    [
      { topic: 'update', objectId: 'upd_1' },
      { topic: 'deployment', objectId: 'm' },
    ],
  ])
})

it('survives an event that is not JSON', () => {
  FakeEventSource.last.emit('update', 'nonsense')
  vi.advanceTimersByTime(500)
  expect(heard.events).toEqual([[{ topic: 'update', objectId: '' }]])
})

it('tells when the connection is lost, and that something may have been missed when it is back', () => {
  FakeEventSource.last.open()
  FakeEventSource.last.fail()
  expect(heard.resumed).toBe(0)
  FakeEventSource.last.open()
  expect(heard.statuses).toEqual(['live', 'reconnecting', 'live'])
  expect(heard.resumed).toBe(1)
})

it('has everything read anew where the server no longer knows what was missed', () => {
  FakeEventSource.last.open()
  FakeEventSource.last.emit('reset', {})
  expect(heard.resumed).toBe(1)
  FakeEventSource.last.emit('update', { object_id: 'upd_1', revision: 2 })
  vi.advanceTimersByTime(500)
  expect(heard.events).toEqual([[{ topic: 'update', objectId: 'upd_1' }]])
})

it('opens a new connection where the browser gave up', () => {
  FakeEventSource.last.fail(FakeEventSource.CLOSED)
  vi.advanceTimersByTime(4_999)
  expect(FakeEventSource.all).toHaveLength(1)
  vi.advanceTimersByTime(1)
  expect(FakeEventSource.all).toHaveLength(2)
})

it('closes after half a minute in a hidden tab, and opens again when it is seen', () => {
  const first = FakeEventSource.last
  hide(true)
  vi.advanceTimersByTime(29_000)
  expect(first.readyState).not.toBe(FakeEventSource.CLOSED)
  vi.advanceTimersByTime(1_000)
  expect(first.readyState).toBe(FakeEventSource.CLOSED)
  expect(heard.statuses).toEqual(['paused'])
  hide(false)
  expect(FakeEventSource.all).toHaveLength(2)
})

it('keeps the connection of a tab that was hidden for a moment only', () => {
  hide(true)
  vi.advanceTimersByTime(10_000)
  hide(false)
  vi.advanceTimersByTime(60_000)
  expect(FakeEventSource.all).toHaveLength(1)
  expect(FakeEventSource.last.readyState).not.toBe(FakeEventSource.CLOSED)
})
