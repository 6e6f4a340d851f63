import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { definePage } from '@/lib/page'
import { tableSearch } from '@/lib/tableSearch'

export const data = definePage({
  path: '/data',
  name: 'Data',
  component: lazyRouteComponent(() => import('./DataPage'), 'DataPage'),
  search: tableSearch,
  queries: {
    ...MODELS,
    batches: ['batch'],
    refusals: ['batch'],
    conflicts: ['batch', 'conflict'],
    history: ['batch', 'conflict'],
  },
  menu: { section: 'Data', icon: 'data', shortcut: 't' },
})
