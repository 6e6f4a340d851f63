import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { RELEASES } from '@/lib/api/releases'
import { definePage, word } from '@/lib/page'
import { type TableSearch, tableSearch } from '@/lib/tableSearch'

export const updates = definePage({
  path: '/updates',
  name: 'Updates',
  component: lazyRouteComponent(() => import('./UpdatesPage'), 'UpdatesPage'),
  search: (raw): TableSearch & { state?: string; ask?: string } => ({
    ...tableSearch(raw),
    state: word(raw.state),
    ask: word(raw.ask),
  }),
  queries: { updates: ['update'], ...MODELS },
  commands: () => import('./commands'),
  menu: { section: 'Training', icon: 'updates', shortcut: 'u' },
})

export const update = definePage({
  path: '/updates/$id',
  name: 'Update',
  component: lazyRouteComponent(() => import('./UpdatePage'), 'UpdatePage'),
  search: (raw): { stage?: string; ask?: string } => ({ stage: word(raw.stage), ask: word(raw.ask) }),
  ids: /^upd_\w+$/,
  queries: { update: ['update'], 'update-log': ['update'], ...RELEASES },
})
