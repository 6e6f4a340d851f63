import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { definePage } from '@/lib/page'

export const ledger = definePage({
  path: '/ledger',
  name: 'Ledger',
  component: lazyRouteComponent(() => import('./LedgerPage'), 'LedgerPage'),
  queries: { ledger: ['update', 'release'], ...MODELS },
  menu: { section: 'Performance', icon: 'book', shortcut: 'l' },
})
