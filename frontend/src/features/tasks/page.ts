import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { definePage, word } from '@/lib/page'
import { type TableSearch, tableSearch } from '@/lib/tableSearch'

export const tasks = definePage({
  path: '/tasks',
  name: 'Tasks',
  component: lazyRouteComponent(() => import('./TasksPage'), 'TasksPage'),
  search: (raw): TableSearch & { ask?: string } => ({ ...tableSearch(raw), ask: word(raw.ask) }),
  queries: { tasks: ['batch', 'task'], ...MODELS },
  menu: { section: 'Training', icon: 'tasks', shortcut: 'k' },
})
