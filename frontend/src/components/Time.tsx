import { ago, moment } from '@/lib/format'
import { useNow } from '@/lib/useNow'

/** A moment as an age that grows; the exact time stands in the tooltip. */
export function Time({ at }: { at: string }) {
  const now = useNow(5000)
  return (
    <time dateTime={at} title={moment(at)} className="num">
      {ago(at, now)}
    </time>
  )
}
