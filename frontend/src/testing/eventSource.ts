/** Stands in for the browser's EventSource; a test speaks through `emit`. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2
  static all: FakeEventSource[] = []

  readyState = FakeEventSource.CONNECTING
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null

  constructor(readonly url: string) {
    super()
    FakeEventSource.all.push(this)
  }

  static get last(): FakeEventSource {
    const source = FakeEventSource.all.at(-1)
    if (!source) throw new Error('no EventSource was opened')
    return source
  }

  open() {
    this.readyState = FakeEventSource.OPEN
    this.onopen?.()
  }

  fail(state: number = FakeEventSource.CONNECTING) {
    this.readyState = state
    this.onerror?.()
  }

  emit(topic: string, data: unknown) {
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    this.dispatchEvent(new MessageEvent(topic, { data: text }))
  }

  close() {
    this.readyState = FakeEventSource.CLOSED
  }
}
