import type { Topic } from './page'

export type LiveStatus = 'live' | 'reconnecting' | 'paused'
export type LiveEvent = { topic: Topic; objectId: string }

const BUFFER_MS = 500
const HIDDEN_MS = 30_000
const RETRY_MS = 5_000

type Listener = {
  /** Events of the last half second; `resumed` says that some may have been missed before. */
  onEvents(events: LiveEvent[], resumed: boolean): void
  onStatus(status: LiveStatus): void
}

function read(topic: Topic, message: MessageEvent<string>): LiveEvent {
  try {
    const data = JSON.parse(message.data) as { object_id?: unknown }
    return { topic, objectId: typeof data.object_id === 'string' ? data.object_id : '' }
  } catch {
    return { topic, objectId: '' }
  }
}

/** The tab's one event stream: buffered, closed while the tab is hidden, opened again by itself. */
export function openLiveStream(topics: Topic[], listener: Listener): () => void {
  let source: EventSource | null = null
  let buffer: LiveEvent[] = []
  let flushTimer: ReturnType<typeof setTimeout> | undefined
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined
  let wasOpen = false

  const flush = () => {
    flushTimer = undefined
    const events = buffer
    buffer = []
    listener.onEvents(events, false)
  }

  const disconnect = () => {
    source?.close()
    source = null
    clearTimeout(retryTimer)
  }

  const connect = () => {
    disconnect()
    const opened = new EventSource(`/api/v1/events?topics=${topics.join(',')}`)
    source = opened
    opened.onopen = () => {
      listener.onStatus('live')
      if (wasOpen) listener.onEvents([], true)
      wasOpen = true
    }
    opened.onerror = () => {
      listener.onStatus('reconnecting')
      // The browser tries again by itself unless it gave up (a proxy answered something else).
      if (opened.readyState === EventSource.CLOSED) retryTimer = setTimeout(connect, RETRY_MS)
    }
    // Away for longer than the server keeps events: what was missed can't be told one by one.
    opened.addEventListener('reset', () => listener.onEvents([], true))
    for (const topic of topics) {
      opened.addEventListener(topic, (message) => {
        buffer.push(read(topic, message as MessageEvent<string>))
        flushTimer ??= setTimeout(flush, BUFFER_MS)
      })
    }
  }

  const onVisibility = () => {
    clearTimeout(hiddenTimer)
    if (document.hidden) {
      hiddenTimer = setTimeout(() => {
        disconnect()
        listener.onStatus('paused')
      }, HIDDEN_MS)
    } else if (!source) {
      connect()
    }
  }

  document.addEventListener('visibilitychange', onVisibility)
  connect()
  return () => {
    document.removeEventListener('visibilitychange', onVisibility)
    clearTimeout(hiddenTimer)
    clearTimeout(flushTimer)
    disconnect()
  }
}
