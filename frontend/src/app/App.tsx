import { createTheme, MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { ApiError } from '@/lib/api/errors'
import { LiveProvider } from './LiveProvider'
import type { makeRouter } from './router'

// Colours and fonts are CSS variables (theme.css): the provider injects no style element, so that a strict CSP holds.
const theme = createTheme({ cursorType: 'pointer', respectReducedMotion: true })

const retry = (failures: number, error: unknown): boolean =>
  failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500)

/** With `retries` off a failure is told at once, as tests need it. */
export const makeClient = (retries = true) =>
  new QueryClient({
    defaultOptions: { queries: { retry: retries ? retry : false, retryDelay: 400, staleTime: 2_000 } },
  })

type Props = { router: ReturnType<typeof makeRouter>; client: QueryClient }

export function App({ router, client }: Props) {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={client}>
        <LiveProvider>
          <RouterProvider router={router} />
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  )
}
