import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { RELEASES } from '@/lib/api/releases'
import { definePage, word } from '@/lib/page'

export const ledger = definePage({
  path: '/ledger',
  name: 'Ledger',
  component: lazyRouteComponent(() => import('./LedgerPage'), 'LedgerPage'),
  search: (raw): { task?: string; as?: string } => ({ task: word(raw.task), as: word(raw.as) }),
  queries: { ...RELEASES, ledger: ['update', 'release'], ...MODELS },
  menu: { section: 'Performance', icon: 'book', shortcut: 'l' },
})
