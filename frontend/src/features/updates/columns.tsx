import type { Column } from '@/components/columns'
import { StageDots } from '@/components/StageDots'
import { Status } from '@/components/Status'
import { updateLook } from '@/components/status'
import { Time } from '@/components/Time'
import type { Update } from '@/lib/api/types'
import { between, duration, MISSING, release } from '@/lib/format'
import { useNow } from '@/lib/useNow'
import css from './Updates.module.css'

const took = (update: Update, now: number) => between(update.started_at, update.finished_at, now)

function Took({ update }: { update: Update }) {
  const seconds = took(update, useNow(1000))
  return seconds === null ? MISSING : duration(seconds)
}

export const COLUMNS: Column<Update>[] = [
  {
    id: 'state',
    header: 'State',
    value: (update) => updateLook(update.state).label,
    cell: (update) => <Status look={updateLook(update.state)} />,
    look: 'fit',
  },
  {
    id: 'task',
    header: 'Task',
    value: (update) => update.task,
    cell: (update) => update.task,
    names: true,
  },
  {
    id: 'why',
    header: 'Why',
    value: (update) => update.outcome ?? update.trigger_reason,
    cell: (update) => <span className={css.why}>{update.outcome ?? update.trigger_reason}</span>,
  },
  {
    id: 'stages',
    header: 'Stages',
    cell: (update) => <StageDots stages={update.stages} />,
    look: 'fit',
  },
  {
    id: 'release',
    header: 'Release',
    value: (update) => update.release_number,
    cell: (update) => (update.release_id ? release(update.release_number, update.release_id) : MISSING),
  },
  {
    id: 'took',
    header: 'Took',
    value: (update) => took(update, Date.parse(update.created_at)),
    cell: (update) => <Took update={update} />,
    look: 'right',
  },
  {
    id: 'made',
    header: 'Made',
    value: (update) => update.created_at,
    cell: (update) => <Time at={update.created_at} />,
    look: 'right',
  },
]
