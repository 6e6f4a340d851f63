import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
} from '@tanstack/react-router'
import { Failed } from '@/components/States'
import { HomePage } from '@/features/home/HomePage'
import { ApiError } from '@/lib/api/errors'
import { NAMES } from './pages'
import { Shell } from './Shell'

const word = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

const root = createRootRoute({
  component: Shell,
  validateSearch: (search: Record<string, unknown>): { model?: string } => ({ model: word(search.model) }),
  search: { middlewares: [retainSearchParams(['model'])] },
  notFoundComponent: () => (
    <Failed
      error={
        new ApiError(404, 'No such page', `The address may be mistyped. ${NAMES} are in the menu.`, null)
      }
    />
  ),
})

const home = createRoute({ getParentRoute: () => root, path: '/', component: HomePage })

const data = createRoute({
  getParentRoute: () => root,
  path: '/data',
  component: lazyRouteComponent(() => import('@/features/data/DataPage'), 'DataPage'),
})

const updates = createRoute({
  getParentRoute: () => root,
  path: '/updates',
  validateSearch: (search: Record<string, unknown>): { state?: string } => ({ state: word(search.state) }),
  component: lazyRouteComponent(() => import('@/features/updates/UpdatesPage'), 'UpdatesPage'),
})

const update = createRoute({
  getParentRoute: () => root,
  path: '/updates/$id',
  validateSearch: (search: Record<string, unknown>): { stage?: string } => ({ stage: word(search.stage) }),
  component: lazyRouteComponent(() => import('@/features/updates/UpdatePage'), 'UpdatePage'),
})

const ledger = createRoute({
  getParentRoute: () => root,
  path: '/ledger',
  component: lazyRouteComponent(() => import('@/features/ledger/LedgerPage'), 'LedgerPage'),
})

const releases = createRoute({
  getParentRoute: () => root,
  path: '/releases',
  component: lazyRouteComponent(() => import('@/features/releases/ReleasesPage'), 'ReleasesPage'),
})

const release = createRoute({
  getParentRoute: () => root,
  path: '/releases/$id',
  component: lazyRouteComponent(() => import('@/features/releases/ReleasePage'), 'ReleasePage'),
})

const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: (search: Record<string, unknown>): { action?: string; object?: string } => ({
    action: word(search.action),
    object: word(search.object),
  }),
  component: lazyRouteComponent(() => import('@/features/audit/AuditPage'), 'AuditPage'),
})

const deployment = createRoute({
  getParentRoute: () => root,
  path: '/deployment',
  component: lazyRouteComponent(() => import('@/features/deployment/DeploymentPage'), 'DeploymentPage'),
})

const routeTree = root.addChildren([
  home,
  data,
  updates,
  update,
  ledger,
  releases,
  release,
  deployment,
  audit,
])

/** The app's router; with `path` it lives in memory, as tests need it. */
export function makeRouter(path?: string) {
  return createRouter({
    routeTree,
    defaultPreload: 'intent',
    ...(path ? { history: createMemoryHistory({ initialEntries: [path] }) } : {}),
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
