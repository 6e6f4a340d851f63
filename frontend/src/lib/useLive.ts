import { createContext, useContext } from 'react'
import type { LiveStatus } from './live'

export type Live = { status: LiveStatus; since: number }

export const LiveContext = createContext<Live>({ status: 'reconnecting', since: Date.now() })

export const useLive = (): Live => useContext(LiveContext)

/** How often to ask without being told: `whenLive` with an open stream, every 15 s without one. */
export function usePolling(whenLive: number | false): number | false {
  const { status } = useLive()
  if (status === 'live') return whenLive
  return whenLive === false ? 15_000 : Math.min(whenLive, 15_000)
}
