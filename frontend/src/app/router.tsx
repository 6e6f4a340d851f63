import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  retainSearchParams,
} from '@tanstack/react-router'
import { Failed } from '@/components/States'
import { ApiError } from '@/lib/api/errors'
import { type Page, word } from '@/lib/page'
import { NAMES, PAGES } from './pages'
import { Shell } from './Shell'

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

const routeOf = <const Path extends string, Search extends object>(page: Page<Path, Search>) =>
  createRoute({
    getParentRoute: () => root,
    path: page.path,
    component: page.component,
    validateSearch: page.search ?? (() => ({}) as Search),
  })

type RouteOf<P> =
  P extends Page<infer Path, infer Search extends object> ? ReturnType<typeof routeOf<Path, Search>> : never
type Routes = { -readonly [At in keyof typeof PAGES]: RouteOf<(typeof PAGES)[At]> }

// The type follows the list page by page, so that links, their parameters and search are checked.
const routeTree = root.addChildren(
  PAGES.map((page) => routeOf(page as Page<string, object>)) as unknown as Routes,
)

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
