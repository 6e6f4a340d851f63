import type { IconName } from '@/components/Icon'

type Page = {
  to: '/' | '/data' | '/updates' | '/ledger' | '/releases' | '/deployment' | '/audit'
  name: string
  icon: IconName
  /** After `g`. */
  key: string
}

/** The pages of the menu, in its order. Menu, shortcuts, their sheet and the sentence of a wrong address follow. */
export const PAGES: Page[] = [
  { to: '/', name: 'Home', icon: 'home', key: 'h' },
  { to: '/data', name: 'Data', icon: 'data', key: 't' },
  { to: '/updates', name: 'Updates', icon: 'updates', key: 'u' },
  { to: '/ledger', name: 'Ledger', icon: 'book', key: 'l' },
  { to: '/releases', name: 'Releases', icon: 'box', key: 'r' },
  { to: '/deployment', name: 'Deployment', icon: 'deployment', key: 'd' },
  { to: '/audit', name: 'Audit', icon: 'seal', key: 'a' },
]

const names = PAGES.map((page) => page.name)
export const NAMES = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
