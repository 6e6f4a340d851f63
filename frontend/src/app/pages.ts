import { audit } from '@/features/audit/page'
import { data } from '@/features/data/page'
import { deployment } from '@/features/deployment/page'
import { home } from '@/features/home/page'
import { ledger } from '@/features/ledger/page'
import { policy } from '@/features/policy/page'
import { release, releases } from '@/features/releases/page'
import { tasks } from '@/features/tasks/page'
import { update, updates } from '@/features/updates/page'
import { type Page, SECTIONS, type Topic } from '@/lib/page'

/** Every page. Router, menu, shortcuts and their sheet, command palette, the sentence of a wrong address and what
 *  an event makes stale follow. */
export const PAGES = [
  home,
  data,
  releases,
  release,
  updates,
  update,
  tasks,
  ledger,
  deployment,
  policy,
  audit,
] as const

const pages: readonly Page[] = PAGES
type InMenu = Page & Required<Pick<Page, 'menu'>>

/** The menu: each section that has pages, with them. */
export const MENU = SECTIONS.map((section) => ({
  section,
  pages: pages.filter((page): page is InMenu => page.menu?.section === section),
})).filter((part) => part.pages.length > 0)

export const MENU_PAGES = MENU.flatMap((part) => part.pages)

const names = MENU_PAGES.map((page) => page.name)
export const NAMES = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`

const reads = pages.flatMap((page) => Object.entries(page.queries))
export const TOPICS: Topic[] = [...new Set(reads.flatMap(([, topics]) => topics))]

/** The first part of each query key that events of these topics make stale. They carry ids only; the data comes
 *  through the normal GET. */
export const staleKeys = (topics: Topic[]): Set<string> =>
  new Set(reads.filter(([, on]) => on.some((topic) => topics.includes(topic))).map(([key]) => key))
