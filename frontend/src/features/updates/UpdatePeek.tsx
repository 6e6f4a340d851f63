import { RunProgress } from '@/components/RunProgress'
import { StageDots } from '@/components/StageDots'
import { Status } from '@/components/Status'
import { isOver, updateLook } from '@/components/status'
import { Time } from '@/components/Time'
import type { Update } from '@/lib/api/types'
import css from './Updates.module.css'

/** An update at a glance; its page has the rest. */
export function UpdatePeek({ update }: { update: Update }) {
  return (
    <div className={css.stack}>
      <p>
        <Status look={updateLook(update.state)} /> <StageDots stages={update.stages} />
      </p>
      <p>
        {update.trigger_reason} · <Time at={update.created_at} />
      </p>
      {isOver(update.state) ? null : <RunProgress update={update} />}
      {update.outcome ? <p>{update.outcome}</p> : null}
      {update.verdict ? <p>{update.verdict.reason}</p> : null}
    </div>
  )
}
