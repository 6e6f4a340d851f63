const OFF = 'clm-shortcuts-off'

/** Single-key shortcuts can be turned off (WCAG 2.1.4); none of them changes anything on the server. */
export const shortcutsOn = (): boolean => localStorage.getItem(OFF) === null

export function setShortcuts(on: boolean): void {
  if (on) localStorage.removeItem(OFF)
  else localStorage.setItem(OFF, '1')
}

/** Whether a key press belongs to something else: a field, a dialog, or a combination with Ctrl or Alt. */
export function typing(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true
  const target = event.target
  if (!(target instanceof HTMLElement)) return false
  return (
    target.isContentEditable ||
    target.closest('input, textarea, select, [role="dialog"], [role="menu"]') !== null
  )
}
