import type { QueryClient } from '@tanstack/react-query'
import type { Command, Page } from '@/lib/page'
import { MENU_PAGES, PAGES } from './pages'

const SHOWN = 10 // of each group

const pages: readonly Page[] = PAGES
const places: Command[] = MENU_PAGES.map((page) => ({ group: 'Pages', name: page.name, to: page.path }))

/** What each page offers. One that can't be asked now offers nothing; the others still do. */
export async function offered(client: QueryClient, model: string): Promise<Command[]> {
  const asked = pages.map(async (page) => (await page.commands?.())?.commands(client, model) ?? [])
  const answers = await Promise.allSettled(asked)
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

/** A whole id leads to its object, listed or not. */
const byId = (text: string): Command[] =>
  pages
    .filter((page) => page.ids?.test(text))
    .map(({ name, path }) => ({ group: 'Open', name: `${name} ${text}`, to: path.replace('$id', text) }))

const holds = (command: Command, text: string): boolean => {
  const told = `${command.group} ${command.name} ${command.note ?? ''}`.toLowerCase()
  return text.split(/\s+/).every((part) => told.includes(part))
}

/** What fits the text, by group: each word of it stands in the command. */
export function matching(offers: Command[], text: string): [string, Command[]][] {
  const wanted = text.trim().toLowerCase()
  const fits = [...byId(text.trim()), ...[...places, ...offers].filter((command) => holds(command, wanted))]
  const groups = [...new Set(fits.map((command) => command.group))]
  return groups.map((group) => [group, fits.filter((each) => each.group === group).slice(0, SHOWN)])
}
