import { Switch, useComputedColorScheme } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'
import css from './Chart.module.css'
import type { Line } from './draw'

type Props = {
  names: string[]
  lines: Line[]
  /** What the lines say, in a sentence; it stands above them, for everyone. */
  summary: string
  /** The same numbers as a table. */
  table: ReactNode
}

function Canvas({ names, lines, summary }: Omit<Props, 'table'>) {
  const element = useRef<HTMLDivElement>(null)
  const theme = useComputedColorScheme()
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    let gone = false
    let remove = () => {}
    void import('./draw').then(({ draw }) => {
      if (!gone && element.current) remove = draw(element.current, names, lines)
    })
    return () => {
      gone = true
      remove()
    }
  }, [names, lines, theme])
  return <div ref={element} className={css.canvas} role="img" aria-label={summary} />
}

/** Lines with a sentence that tells them and the table they come from. The drawing code is loaded when it is needed. */
export function Chart({ table, summary, ...drawn }: Props) {
  const { as } = useSearch({ strict: false })
  const navigate = useNavigate()
  const choose = (asTable: boolean) =>
    void navigate({
      to: '.',
      search: (old) => ({ ...old, as: asTable ? 'table' : undefined }),
      replace: true,
    })
  return (
    <>
      <div className={css.head}>
        <p>{summary}</p>
        <Switch
          size="xs"
          label="As a table"
          checked={as === 'table'}
          onChange={(event) => choose(event.currentTarget.checked)}
        />
      </div>
      {as === 'table' ? table : <Canvas summary={summary} {...drawn} />}
    </>
  )
}
