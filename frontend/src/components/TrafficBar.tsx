import { percent } from '@/lib/format'
import css from './TrafficBar.module.css'

type Props = { champion: string; candidate: string | null; candidateShare: number }

/** Who answers how much of the traffic. Read-only; shares are in percent. */
export function TrafficBar({ champion, candidate, candidateShare }: Props) {
  const share = candidate ? Math.min(100, Math.max(0, candidateShare)) : 0
  const parts = [
    { role: 'champion', name: champion, share: 100 - share },
    ...(candidate ? [{ role: 'candidate', name: candidate, share }] : []),
  ]
  const said = parts.map((p) => `${p.role} ${p.name} ${percent(p.share)}`).join(', ')
  return (
    <div>
      <div className={css.legend}>
        {parts.map((part) => (
          <span key={part.role} className={css.entry}>
            <span className={css.dot} data-role={part.role} />
            <strong>{part.name}</strong> {part.role}
            <strong className="num">{percent(part.share)}</strong>
          </span>
        ))}
      </div>
      <div className={css.bar} role="img" aria-label={`Traffic: ${said}`}>
        {parts.map((part) =>
          part.share > 0 ? (
            <span
              key={part.role}
              className={css.part}
              data-role={part.role}
              style={{ flexBasis: `${part.share}%` }}
            />
          ) : null,
        )}
      </div>
    </div>
  )
}
