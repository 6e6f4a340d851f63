import type { ReactNode } from 'react'
import { Icon } from './Icon'
import css from './StageRail.module.css'
import type { Look } from './status'

export type RailNode = { key: string; name: string; look: Look; meta: ReactNode }
type Props = { label: string; nodes: RailNode[]; picked?: string; onPick?: (key: string) => void }

/** Steps from left to right, each with icon, name and state word. With `onPick` the steps are buttons. */
export function Rail({ label, nodes, picked, onPick }: Props) {
  return (
    <ol className={css.rail} aria-label={label}>
      {nodes.map((node) => {
        const inner = (
          <>
            <span className={css.node}>
              <Icon name={node.look.icon} size={14} />
            </span>
            <span className={css.name}>{node.name}</span>
            <span className={css.meta}>{node.meta}</span>
          </>
        )
        return (
          <li
            key={node.key}
            className={css.stage}
            data-tone={node.look.tone}
            data-spins={node.look.icon === 'run'}
          >
            {onPick ? (
              <button
                type="button"
                className={css.pick}
                aria-pressed={picked === node.key}
                onClick={() => onPick(node.key)}
              >
                {inner}
              </button>
            ) : (
              inner
            )}
          </li>
        )
      })}
    </ol>
  )
}
