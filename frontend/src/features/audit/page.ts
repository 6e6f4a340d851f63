import { lazyRouteComponent } from '@tanstack/react-router'
import { definePage, word } from '@/lib/page'

export const audit = definePage({
  path: '/audit',
  name: 'Audit',
  component: lazyRouteComponent(() => import('./AuditPage'), 'AuditPage'),
  search: (raw): { action?: string; object?: string } => ({
    action: word(raw.action),
    object: word(raw.object),
  }),
  queries: { audit: ['audit'] },
  menu: { section: 'Reports', icon: 'seal', shortcut: 'a' },
})
