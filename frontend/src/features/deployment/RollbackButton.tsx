import type { NameOf } from '@/lib/api/releases'
import type { Deployment, Moved } from '@/lib/api/types'
import { ActionButton } from './ActionButton'
import type { ActionName } from './api'
import css from './Deployment.module.css'

type Props = {
  deployment: Deployment
  nameOf: NameOf
  onDone: (answer: Moved, action: ActionName) => void
}

/** The one red button. It always stands at the top right of the page. */
export function RollbackButton({ deployment, nameOf, onDone }: Props) {
  const off = deployment.allowed_actions.find((a) => a.action === 'rollback' && !a.enabled)
  return (
    <div>
      <ActionButton action="rollback" deployment={deployment} nameOf={nameOf} onDone={onDone}>
        <div className={css.lists}>
          <div>
            <h3>Goes back</h3>
            <ul>
              <li>experts and router</li>
              <li>tokenizer and chat template</li>
              <li>generation defaults</li>
            </ul>
          </div>
          <div>
            <h3>Stays as it is</h3>
            <ul>
              <li>data and suites</li>
              <li>policies and the ledger</li>
              <li>the release itself, in the list</li>
            </ul>
          </div>
        </div>
      </ActionButton>
      {off?.reason ? <p className={css.off}>{off.reason}</p> : null}
    </div>
  )
}
