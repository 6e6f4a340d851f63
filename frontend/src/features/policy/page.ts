import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { definePage } from '@/lib/page'

export const policy = definePage({
  path: '/policy',
  name: 'Policy',
  component: lazyRouteComponent(() => import('./PolicyPage'), 'PolicyPage'),
  search: (raw): { revision?: number } => ({
    revision: typeof raw.revision === 'number' ? raw.revision : undefined,
  }),
  queries: { ...MODELS, policy: ['model'], 'policy-revisions': ['model'] },
  menu: { section: 'Configuration', icon: 'policy', shortcut: 'p' },
})
