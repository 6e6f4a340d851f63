import { type ReactNode, useId } from 'react'
import css from './Panel.module.css'

type Props = { title: string; note?: ReactNode; flush?: boolean; children: ReactNode }

/** A titled section of a page. `flush` lets a table reach the edges. */
export function Panel({ title, note, flush = false, children }: Props) {
  const id = useId()
  return (
    <section className={css.panel} aria-labelledby={id}>
      <header className={css.head}>
        <h2 id={id}>{title}</h2>
        {note ? <div className={css.note}>{note}</div> : null}
      </header>
      <div className={flush ? css.flush : css.body}>{children}</div>
    </section>
  )
}
