import { time } from '@/lib/format'
import { useLive } from '@/lib/useLive'
import { useNow } from '@/lib/useNow'
import css from './Shell.module.css'

const STALE_MS = 20_000

/** Whether what the page shows is current. */
export function LiveBadge() {
  const { status, since } = useLive()
  const now = useNow(5000)
  const stale = status !== 'live' && now - since > STALE_MS
  const word =
    status === 'live' ? 'Live' : stale ? `Stale since ${time(new Date(since).toISOString())}` : 'Reconnecting'
  return (
    <span className={css.live} data-status={status} role="status">
      <span aria-hidden="true" />
      {word}
    </span>
  )
}
