import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Icon } from '@/components/Icon'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading } from '@/components/States'
import { TrafficBar } from '@/components/TrafficBar'
import { ApiError } from '@/lib/api/errors'
import { useActiveModel } from '@/lib/api/models'
import { type NameOf, useReleaseNames } from '@/lib/api/releases'
import type { Deployment, Moved } from '@/lib/api/types'
import { time } from '@/lib/format'
import { usePolling } from '@/lib/useLive'
import { type ActionName, deploymentQuery } from './api'
import { Checks } from './Checks'
import { Comparison } from './Comparison'
import css from './Deployment.module.css'
import { History } from './History'
import { RollbackButton } from './RollbackButton'
import { NoRollout, RolloutPanel } from './RolloutPanel'

const DONE: Record<ActionName, string> = {
  rollback: 'Rolled back',
  promote: 'Promoted',
  pause: 'Paused',
  resume: 'Resumed',
  abort: 'Aborted',
}

/** What the server answered, in one sentence with its time. */
function outcome(answer: Moved, action: ActionName, nameOf: NameOf): string {
  const share = 100 - (answer.candidate ? answer.candidate_share : 0)
  const ms = typeof answer.rollback_ms === 'number' ? ` (${Math.round(answer.rollback_ms)} ms)` : ''
  return `${DONE[action]}: ${nameOf(answer.champion)} answers ${share} % of the requests since ${time(new Date().toISOString())}${ms}.`
}

function NothingServes() {
  return (
    <Empty
      title="Nothing is deployed yet"
      steps={[
        <>
          Bring data: <code>clm ingest FILE --model M --task T</code>
        </>,
        'Start an update on the Updates page',
        'What passes the gate is rolled out here, step by step',
      ]}
    >
      This page shows who answers how much of the traffic, what the canary sees, and takes a release back with
      one click.
    </Empty>
  )
}

function Loaded({ deployment, nameOf }: { deployment: Deployment; nameOf: NameOf }) {
  const [said, setSaid] = useState<string>()
  const onDone = (answer: Moved, action: ActionName) => setSaid(outcome(answer, action, nameOf))
  const { rollout } = deployment
  const candidate = deployment.candidate ? nameOf(deployment.candidate) : null
  return (
    <>
      <PageHeader
        title="Deployment"
        sub={`${deployment.model}, revision ${deployment.revision}`}
        actions={<RollbackButton deployment={deployment} nameOf={nameOf} onDone={onDone} />}
      />
      <div role="status">
        {said ? (
          <p className={css.done}>
            <Icon name="check" size={17} /> {said}
          </p>
        ) : null}
      </div>
      <div className={css.stack}>
        <Panel
          title="Traffic"
          note={deployment.previous ? `${nameOf(deployment.previous)} is kept loaded for a rollback` : null}
        >
          <TrafficBar
            champion={nameOf(deployment.champion)}
            candidate={candidate}
            candidateShare={deployment.candidate_share}
          />
        </Panel>
        {rollout ? (
          <RolloutPanel deployment={deployment} rollout={rollout} nameOf={nameOf} onDone={onDone} />
        ) : null}
        <div className={css.two}>
          <Comparison deployment={deployment} nameOf={nameOf} />
          {rollout ? <Checks rollout={rollout} /> : <NoRollout />}
        </div>
        <History rollouts={deployment.history.filter((r) => r.finished_at)} nameOf={nameOf} />
      </div>
    </>
  )
}

export function DeploymentPage() {
  const { name, query: models } = useActiveModel()
  const model = name ?? ''
  const query = useQuery({
    ...deploymentQuery(model),
    enabled: model !== '',
    refetchInterval: usePolling(2_000),
  })
  const nameOf = useReleaseNames(name)

  const nothing = query.error instanceof ApiError && query.error.status === 404
  if (query.data && !nothing) return <Loaded deployment={query.data} nameOf={nameOf} />
  const error = models.error ?? query.error
  return (
    <>
      <PageHeader title="Deployment" />
      {nothing || (models.isSuccess && model === '') ? (
        <NothingServes />
      ) : error ? (
        <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
      ) : (
        <Loading heights={[90, 180, 220]} />
      )}
    </>
  )
}
