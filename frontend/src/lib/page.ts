import type { QueryClient } from '@tanstack/react-query'
import type { RouteComponent } from '@tanstack/react-router'
import type { IconName } from '@/components/Icon'

/** The parts of the menu, in its order; one shows where a page names it. */
export const SECTIONS = [
  'Home',
  'Data',
  'Models',
  'Training',
  'Performance',
  'Deployment',
  'Configuration',
  'Reports',
  'Account',
] as const

/** What an event of the server's stream can be about. */
export type Topic = 'update' | 'deployment' | 'release' | 'batch' | 'conflict' | 'task' | 'model' | 'audit'

/** The first part of query keys, each with the topics whose events make it stale. */
export type Stale = Record<string, Topic[]>

type Raw = Record<string, unknown>

/** A line of the command palette. It only leads somewhere: what changes anything is asked there first. */
export type Command = { group: string; name: string; note?: string; to: string; search?: { ask: string } }
export type Commands = (client: QueryClient, model: string) => Promise<Command[]>

/** Everything the app knows of a page. A feature describes its own in `page.ts`; `app/pages.ts` lists them. */
export type Page<Path extends string = string, Search = unknown> = {
  path: Path
  name: string
  component: RouteComponent
  /** Reads the address's search parameters; what it doesn't return is dropped. */
  search?: (raw: Raw) => Search
  /** All that the page reads. */
  queries: Stale
  /** What the command palette offers of it: recent objects, and actions that the server allows now. */
  commands?: () => Promise<{ commands: Commands }>
  /** Ids of the objects that it shows, where its path ends in `$id`. */
  ids?: RegExp
  /** Where it stands in the menu; a page about one object has none and is reached by a link. */
  menu?: { section: (typeof SECTIONS)[number]; icon: IconName; shortcut: string }
}

/** Keeps path and search as literal types, so that links to the page are checked. */
export const definePage = <const Path extends string, Search extends object = object>(
  page: Page<Path, Search>,
): Page<Path, Search> => page

/** A text that a search parameter holds; none where it is empty or something else. */
export const word = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
