import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { staleKeys } from '@/lib/api/keys'
import { openLiveStream } from '@/lib/live'
import { type Live, LiveContext } from '@/lib/useLive'

/** Keeps the tab's event stream open and makes stale what its events tell of. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const [live, setLive] = useState<Live>(() => ({ status: 'reconnecting', since: Date.now() }))
  useEffect(
    () =>
      openLiveStream({
        onStatus: (status) => setLive((old) => (old.status === status ? old : { status, since: Date.now() })),
        onEvents: (events, resumed) => {
          if (resumed) void client.invalidateQueries()
          const stale = new Map<string, readonly unknown[]>()
          for (const event of events)
            for (const key of staleKeys(event.topic, event.objectId)) stale.set(JSON.stringify(key), key)
          for (const queryKey of stale.values()) void client.invalidateQueries({ queryKey })
        },
      }),
    [client],
  )
  return <LiveContext value={live}>{children}</LiveContext>
}
