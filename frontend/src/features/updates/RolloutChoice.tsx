import type { Rollout } from './api'
import css from './Updates.module.css'

const KINDS: { kind: Rollout; name: string; meaning: string }[] = [
  {
    kind: 'canary',
    name: 'Canary',
    meaning: 'A growing share of the requests, watched at each step. It waits where no requests come.',
  },
  {
    kind: 'blue-green',
    name: 'Blue-green',
    meaning: 'All requests at once, as soon as it answers like what the gate saw.',
  },
]

type Props = {
  /** What the model's policy says. */
  usual: string
  chosen: Rollout | undefined
  onChoose(rollout: Rollout): void
}

/** How the release takes over the traffic, once the gate has passed it. */
export function RolloutChoice({ usual, chosen, onChoose }: Props) {
  return (
    <fieldset className={css.tasks}>
      <legend className={css.legend}>Then it takes the traffic by</legend>
      {KINDS.map(({ kind, name, meaning }) => (
        <label key={kind} className={css.task}>
          <input
            type="radio"
            name="rollout"
            value={kind}
            checked={kind === (chosen ?? usual)}
            onChange={() => onChoose(kind)}
          />
          <span>
            <strong>{kind === usual ? `${name} (the policy)` : name}</strong>
            {meaning}
          </span>
        </label>
      ))}
    </fieldset>
  )
}
