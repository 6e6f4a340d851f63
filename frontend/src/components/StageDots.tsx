import type { UpdateStage } from '@/lib/api/types'
import css from './StageRail.module.css'
import { stageLook } from './status'

/** An update's stages as small marks, for lists; the words are there for screen readers. */
export function StageDots({ stages }: { stages: UpdateStage[] }) {
  const done = stages.filter((s) => s.state === 'done').length
  return (
    <span className={css.dots} role="img" aria-label={`${done} of ${stages.length} stages done`}>
      {stages.map((stage) => (
        <span
          key={stage.name}
          className={css.dot}
          data-tone={stageLook(stage.state).tone}
          title={`${stage.name}: ${stageLook(stage.state).label}`}
        />
      ))}
    </span>
  )
}
