import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { Icon } from '@/components/Icon'
import { PageHeader } from '@/components/PageHeader'
import { Failed, Loading } from '@/components/States'
import { Status } from '@/components/Status'
import { isOver, updateLook } from '@/components/status'
import { Time } from '@/components/Time'
import { useReleaseNames } from '@/lib/api/releases'
import type { Update } from '@/lib/api/types'
import { release } from '@/lib/format'
import { usePolling } from '@/lib/useLive'
import { updateQuery } from './api'
import { CancelUpdate } from './CancelUpdate'
import { GateTable } from './GateTable'
import { LogTail } from './LogTail'
import { RepairTable } from './RepairTable'
import { StagesPanel } from './StagesPanel'
import css from './Updates.module.css'

function Origin({ update }: { update: Update }) {
  const nameOf = useReleaseNames(update.model)
  const against = update.champion ? ` · against ${nameOf(update.champion)}` : ''
  const made = update.release_id ? ` · made ${release(update.release_number, update.release_id)}` : ''
  return (
    <>
      {update.trigger_reason} · <Time at={update.created_at} />
      {against}
      {made}
    </>
  )
}

function Outcome({ update }: { update: Update }) {
  if (!update.outcome) return null
  const look = updateLook(update.state)
  return (
    <p className={css.outcome} data-tone={look.tone}>
      <Icon name={look.icon} size={16} />
      {update.outcome}
    </p>
  )
}

export function UpdatePage() {
  const { id } = useParams({ from: '/updates/$id' })
  const { stage } = useSearch({ from: '/updates/$id' })
  const polling = usePolling(2_000)
  const query = useQuery({
    ...updateQuery(id),
    refetchInterval: ({ state }) => (state.data && isOver(state.data.state) ? false : polling),
  })
  if (query.isPending) return <Loading heights={[60, 130, 240]} />
  if (query.isError && !query.data) {
    return (
      <>
        <PageHeader title="Update" />
        <Failed error={query.error} onRetry={() => query.refetch()} />
      </>
    )
  }
  const update = query.data
  return (
    <>
      <PageHeader
        title={`Update of ${update.task}`}
        crumb={
          <Link to="/updates" search={(old) => ({ model: old.model })}>
            Updates
          </Link>
        }
        badge={<Status look={updateLook(update.state)} />}
        sub={<Origin update={update} />}
        actions={<CancelUpdate update={update} />}
      />
      <div className={css.stack}>
        <Outcome update={update} />
        <StagesPanel update={update} picked={stage} />
        {update.verdict ? <GateTable verdict={update.verdict} /> : null}
        {update.tries.length ? <RepairTable update={update} /> : null}
        <LogTail update={update} />
      </div>
    </>
  )
}
