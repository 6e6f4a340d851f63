import { useEffect } from 'react'
import { shortcutsOn, typing } from './shortcuts'

/** j and k move the focus over the page's rows (elements marked `data-row`); Enter then follows the link. A slash
 *  leads to the filter. */
export function useRowKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!shortcutsOn() || typing(event)) return
      if (event.key === '/') {
        event.preventDefault()
        document.querySelector<HTMLElement>('[data-filter]')?.focus()
      }
      if (event.key !== 'j' && event.key !== 'k') return
      const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
      if (rows.length === 0) return
      const at = rows.indexOf(document.activeElement as HTMLElement)
      const next = event.key === 'j' ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)
      rows[next]?.focus()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
