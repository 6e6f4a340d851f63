import { type ReactNode, useEffect } from 'react'
import css from './PageHeader.module.css'

type Props = { title: string; crumb?: ReactNode; badge?: ReactNode; sub?: ReactNode; actions?: ReactNode }

export function PageHeader({ title, crumb, badge, sub, actions }: Props) {
  useEffect(() => {
    document.title = `${title} · CLM`
  }, [title])
  return (
    <header className={css.header}>
      <div>
        {crumb ? <div className={css.crumb}>{crumb}</div> : null}
        <div className={css.title}>
          <h1>{title}</h1>
          {badge}
        </div>
        {sub ? <p className={css.sub}>{sub}</p> : null}
      </div>
      {actions ? <div className={css.actions}>{actions}</div> : null}
    </header>
  )
}
