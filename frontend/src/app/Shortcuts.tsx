import { ActionIcon, Kbd, Switch } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Fragment, useEffect, useRef, useState } from 'react'
import { Dialog } from '@/components/Dialog'
import { Icon } from '@/components/Icon'
import { setShortcuts, shortcutsOn, typing } from '@/lib/shortcuts'
import { MENU_PAGES } from './pages'
import css from './Shell.module.css'

const SHEET: [string[], string][] = [
  ...MENU_PAGES.map((page): [string[], string] => [['g', page.menu.shortcut], page.name]),
  [['Ctrl', 'K'], 'Find a page, an object or an action'],
  [['j', 'k'], 'Next and previous row'],
  [['Enter'], 'Open the row'],
  [['/'], 'Filter the rows'],
  [['Esc'], 'Close the panel at the right'],
  [['?'], 'This sheet'],
]
const CHORD_MS = 1200

/** Keys that move around. None of them changes anything on the server. */
export function Shortcuts() {
  const [opened, setOpened] = useState(false)
  const [on, setOn] = useState(shortcutsOn)
  const chord = useRef(0)
  const navigate = useNavigate()

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!shortcutsOn() || typing(event)) return
      if (event.key === '?') setOpened(true)
      else if (event.key === 'g') chord.current = Date.now()
      else if (Date.now() - chord.current < CHORD_MS) {
        const page = MENU_PAGES.find((each) => each.menu.shortcut === event.key)
        chord.current = 0
        if (page) void navigate({ to: page.path })
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [navigate])

  const toggle = (wanted: boolean) => {
    setShortcuts(wanted)
    setOn(wanted)
  }
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        size={30}
        aria-label="Keyboard shortcuts"
        onClick={() => setOpened(true)}
      >
        <Icon name="keyboard" size={17} />
      </ActionIcon>
      <Dialog opened={opened} onClose={() => setOpened(false)} title="Keyboard shortcuts" size={380}>
        <div className={css.sheet}>
          {SHEET.map(([keys, does]) => (
            <Fragment key={does}>
              <span>{does}</span>
              <span>
                {keys.map((key) => (
                  <Kbd key={key} ml={4}>
                    {key}
                  </Kbd>
                ))}
              </span>
            </Fragment>
          ))}
        </div>
        <Switch label="Single-key shortcuts" checked={on} onChange={(e) => toggle(e.currentTarget.checked)} />
      </Dialog>
    </>
  )
}
