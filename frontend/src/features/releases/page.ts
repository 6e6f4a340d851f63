import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { RELEASES } from '@/lib/api/releases'
import { definePage } from '@/lib/page'
import { tableSearch } from '@/lib/tableSearch'

export const releases = definePage({
  path: '/releases',
  name: 'Releases',
  component: lazyRouteComponent(() => import('./ReleasesPage'), 'ReleasesPage'),
  search: tableSearch,
  queries: { ...RELEASES, ...MODELS },
  commands: () => import('./commands'),
  menu: { section: 'Models', icon: 'box', shortcut: 'r' },
})

export const release = definePage({
  path: '/releases/$id',
  name: 'Release',
  component: lazyRouteComponent(() => import('./ReleasePage'), 'ReleasePage'),
  ids: /^(rel_\w+|[0-9a-f]{64})$/,
  queries: { release: ['deployment'], ...RELEASES },
})
