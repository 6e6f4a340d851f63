// Sets the colour scheme before the first paint; a file of its own, so that no inline script is needed.
try {
  const kept = localStorage.getItem('mantine-color-scheme-value')
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  document.documentElement.setAttribute(
    'data-mantine-color-scheme',
    kept === 'light' || kept === 'dark' ? kept : dark ? 'dark' : 'light',
  )
} catch {
  // Storage is closed to us: the stylesheet's default stands.
}
