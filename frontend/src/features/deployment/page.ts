import { lazyRouteComponent } from '@tanstack/react-router'
import { MODELS } from '@/lib/api/models'
import { RELEASES } from '@/lib/api/releases'
import { definePage } from '@/lib/page'

export const deployment = definePage({
  path: '/deployment',
  name: 'Deployment',
  component: lazyRouteComponent(() => import('./DeploymentPage'), 'DeploymentPage'),
  queries: {
    deployment: ['deployment', 'release'],
    ...RELEASES,
    ...MODELS,
  },
  menu: { section: 'Deployment', icon: 'deployment', shortcut: 'd' },
})
