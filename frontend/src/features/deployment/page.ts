import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { RELEASES } from '@/lib/api/releases'
import { definePage, word } from '@/lib/page'

export const deployment = definePage({
  path: '/deployment',
  name: 'Deployment',
  component: lazyRouteComponent(() => import('./DeploymentPage'), 'DeploymentPage'),
  search: (raw): { ask?: string } => ({ ask: word(raw.ask) }),
  queries: {
    deployment: ['deployment', 'release'],
    ...RELEASES,
    ...MODELS,
  },
  commands: () => import('./commands'),
  menu: { section: 'Deployment', icon: 'deployment', shortcut: 'd' },
})
