import { Panel } from '@/components/Panel'
import { Rail } from '@/components/Rail'
import { Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import type { NameOf } from '@/lib/api/releases'
import type { Deployment, Moved, Rollout } from '@/lib/api/types'
import { ActionButton } from './ActionButton'
import type { ActionName } from './api'
import css from './Deployment.module.css'
import { nodes, present, presentLook } from './steps'

const SECONDARY: ActionName[] = ['promote', 'pause', 'resume', 'abort']

type Props = {
  deployment: Deployment
  rollout: Rollout
  nameOf: NameOf
  onDone: (answer: Moved, action: ActionName) => void
}

export function NoRollout() {
  return (
    <Panel title="Rollout">
      <Nothing>No rollout is under way. A release that passes the gate starts one by itself.</Nothing>
    </Panel>
  )
}

export function RolloutPanel({ deployment, rollout, nameOf, onDone }: Props) {
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
        <Rail label="Steps of the rollout, in percent of the requests" nodes={nodes(rollout, deployment)} />
      </div>
      <p className={css.why}>
        <Status look={presentLook(rollout)} />
        {present(rollout, deployment)}
      </p>
    </Panel>
  )
}
