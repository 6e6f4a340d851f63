import { CloseButton } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect } from 'react'
import { typing } from '@/lib/shortcuts'
import { useTableSearch } from '@/lib/tableSearch'
import css from './Peek.module.css'

type Props = { title: string; to: string | undefined; children: ReactNode }

/** A row's details at the right, over a table that stays alive. Escape closes it. */
export function Peek({ title, to, children }: Props) {
  const { set } = useTableSearch()
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !typing(event)) set({ peek: undefined })
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  })
  return (
    <section className={css.peek} aria-label={`Peek: ${title}`}>
      <header>
        <h2>{title}</h2>
        {to ? <Link to={to}>Open</Link> : null}
        <CloseButton aria-label="Close the panel" onClick={() => set({ peek: undefined })} />
      </header>
      {children}
    </section>
  )
}
