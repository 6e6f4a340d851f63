import { Panel } from '@/components/Panel'
import { Rail, type RailNode } from '@/components/Rail'
import { Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import { type Look, rolloutLook, verdictLook } from '@/components/status'
import type { NameOf } from '@/lib/api/releases'
import type { Analysis, Deployment, Rollout } from '@/lib/api/types'
import { count, percent } from '@/lib/format'
import { ActionButton } from './ActionButton'
import type { ActionName } from './api'
import css from './Deployment.module.css'

const AHEAD: Look = { tone: 'idle', icon: 'wait', label: 'Ahead' }
const PASSED: Look = { tone: 'ok', icon: 'check', label: 'Passed' }

const seen = (analysis: Analysis): number => Math.max(0, ...analysis.checks.map((check) => check.n))

/** One node per step and one for "all of it"; a step's look is the last verdict that was given on it. */
export function nodes(rollout: Rollout): RailNode[] {
  const shares = rollout.steps.at(-1) === 100 ? rollout.steps : [...rollout.steps, 100]
  return shares.map((share, at) => {
    const last = rollout.verdicts.findLast((verdict) => verdict.step === at)
    const key = String(share)
    const name = percent(share)
    if (rollout.state === 'promoted' || at < rollout.step)
      return { key, name, look: PASSED, meta: last ? `Passed, n ${count(seen(last))}` : 'Passed' }
    if (at > rollout.step) return { key, name, look: AHEAD, meta: 'Ahead' }
    const look =
      rollout.state === 'running'
        ? last
          ? verdictLook(last.verdict)
          : rolloutLook('running')
        : rolloutLook(rollout.state)
    return { key, name, look, meta: `${look.label}${last ? `, n ${count(seen(last))}` : ''}` }
  })
}

const SECONDARY: ActionName[] = ['promote', 'pause', 'resume', 'abort']

type Props = {
  deployment: Deployment
  nameOf: NameOf
  onDone: (answer: Deployment, action: ActionName) => void
}

export function RolloutPanel({ deployment, nameOf, onDone }: Props) {
  const { rollout } = deployment
  if (!rollout) {
    return (
      <Panel title="Rollout">
        <Nothing>No rollout is under way. A release that passes the gate starts one by itself.</Nothing>
      </Panel>
    )
  }
  const last = rollout.verdicts.at(-1)
  const reason = rollout.reason ?? last?.reason ?? 'Waiting for the engine to load the release.'
  const wanted = SECONDARY.filter((action) => {
    if (action === 'resume') return rollout.state === 'paused'
    if (action === 'pause') return rollout.state !== 'paused'
    return true
  })
  return (
    <Panel
      title={`${rollout.kind === 'canary' ? 'Canary' : 'Blue-green'} of ${nameOf(rollout.release_id)} against ${nameOf(rollout.baseline)}`}
      note={
        <span className={css.actions}>
          {wanted.map((action) => (
            <ActionButton
              key={action}
              action={action}
              deployment={deployment}
              nameOf={nameOf}
              onDone={onDone}
            />
          ))}
        </span>
      }
    >
      <div className={css.rail}>
        <Rail label="Steps of the rollout, in percent of the requests" nodes={nodes(rollout)} />
      </div>
      <p className={css.why}>
        <Status
          look={last && rollout.state === 'running' ? verdictLook(last.verdict) : rolloutLook(rollout.state)}
        />
        {reason}
      </p>
    </Panel>
  )
}
