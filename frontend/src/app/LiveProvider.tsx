import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { openLiveStream } from '@/lib/live'
import { type Live, LiveContext } from '@/lib/useLive'
import { staleKeys, TOPICS } from './pages'

/** Keeps the tab's event stream open and makes stale what its events tell of. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const [live, setLive] = useState<Live>(() => ({ status: 'reconnecting', since: Date.now() }))
  useEffect(
    () =>
      openLiveStream(TOPICS, {
        onStatus: (status) => setLive((old) => (old.status === status ? old : { status, since: Date.now() })),
        onEvents: (events, resumed) => {
          if (resumed) void client.invalidateQueries()
          for (const key of staleKeys(events.map((event) => event.topic)))
            void client.invalidateQueries({ queryKey: [key] })
        },
      }),
    [client],
  )
  return <LiveContext value={live}>{children}</LiveContext>
}
