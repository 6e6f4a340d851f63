import { Icon } from './Icon'
import css from './Status.module.css'
import type { Look } from './status'

export function Status({ look }: { look: Look }) {
  return (
    <span className={css.badge} data-tone={look.tone} data-spins={look.icon === 'run'}>
      <Icon name={look.icon} size={13} />
      {look.label}
    </span>
  )
}
