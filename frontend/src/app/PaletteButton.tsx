import { Kbd } from '@mantine/core'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Icon } from '@/components/Icon'
import css from './Shell.module.css'

const Palette = lazy(() => import('./Palette'))

/** Opens the command palette; Ctrl+K or Cmd+K does it too. Its code is loaded when it is first wanted. */
export function PaletteButton() {
  const [opened, setOpened] = useState(false)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      setOpened(true)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      <button type="button" className={css.find} onClick={() => setOpened(true)}>
        <Icon name="search" size={16} />
        Find
        <Kbd size="xs">Ctrl K</Kbd>
      </button>
      <Suspense>{opened ? <Palette onClose={() => setOpened(false)} /> : null}</Suspense>
    </>
  )
}
