import { lazyRouteComponent } from '@tanstack/react-router'
import { definePage, word } from '@/lib/page'
import { type TableSearch, tableSearch } from '@/lib/tableSearch'

export const audit = definePage({
  path: '/audit',
  name: 'Audit',
  component: lazyRouteComponent(() => import('./AuditPage'), 'AuditPage'),
  search: (raw): TableSearch & { action?: string; object?: string } => ({
    ...tableSearch(raw),
    action: word(raw.action),
    object: word(raw.object),
  }),
  queries: { audit: ['audit'] },
  menu: { section: 'Reports', icon: 'seal', shortcut: 'a' },
})
