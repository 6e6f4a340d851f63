import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { Panel } from '@/components/Panel'
import { Nothing, Refused } from '@/components/States'
import { isOver } from '@/components/status'
import type { Update } from '@/lib/api/types'
import { count, time } from '@/lib/format'
import { logQuery } from './api'
import css from './LogTail.module.css'

const POLL_MS = 2000
const NEAR_END_PX = 24

/** The end of an update's log. It follows the newest line as long as the reader is at the end. */
export function LogTail({ update }: { update: Update }) {
  const client = useQueryClient()
  const query = useQuery({
    ...logQuery(update.id, client),
    refetchInterval: isOver(update.state) ? false : POLL_MS,
  })
  const box = useRef<HTMLElement>(null)
  const follows = useRef(true)
  const lines = query.data?.lines ?? []
  const last = lines.at(-1)?.n

  useEffect(() => {
    if (last !== undefined && follows.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [last])

  const onScroll = () => {
    const it = box.current
    if (it) follows.current = it.scrollHeight - it.scrollTop - it.clientHeight < NEAR_END_PX
  }
  return (
    <Panel title="Log" note={query.data?.dropped ? `the last ${count(lines.length)} lines` : null} flush>
      {query.isError ? <Refused error={query.error} /> : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section className={css.log} ref={box} onScroll={onScroll} tabIndex={0} aria-label="Log lines">
        {lines.length === 0 ? <Nothing>{query.isPending ? 'Reading …' : 'No line yet.'}</Nothing> : null}
        {lines.map((line) => (
          <div key={line.n} className={css.line} data-level={line.level}>
            <span className={css.quiet}>{time(line.at)}</span>
            <span className={css.quiet}>{line.stage ?? ''}</span>
            <span className={css.message}>{line.message}</span>
          </div>
        ))}
      </section>
    </Panel>
  )
}
