import { MODELS } from '@/lib/api/models'
import { definePage } from '@/lib/page'
import { HomePage } from './HomePage'

export const home = definePage({
  path: '/',
  name: 'Home',
  component: HomePage,
  queries: {
    overview: ['update', 'deployment', 'release', 'batch', 'conflict', 'task', 'model', 'audit'],
    ...MODELS,
  },
  menu: { section: 'Home', icon: 'home', shortcut: 'h' },
})
