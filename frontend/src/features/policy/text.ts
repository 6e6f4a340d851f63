type Settings = Record<string, Record<string, unknown>>

/** A policy as lines of YAML: a section, and below it each setting with its value. */
export const written = (policy: object): string =>
  Object.entries(policy)
    .map(([section, settings]) =>
      [
        `${section}:`,
        ...Object.entries(settings as object).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`),
      ].join('\n'),
    )
    .join('\n\n')

/** A value as JSON; a bare word is a text. What begins like JSON and is none, is a mistake. */
function parsed(text: string, line: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    if (/^[A-Za-z][\w-]*$/.test(text)) return text
    throw new Error(
      `Line ${line}: the value ${text || '(none)'} can't be read. A list is written as ["a", "b"].`,
    )
  }
}

/** Reads what `written` writes, by hand changed; a line after # is a remark. Throws an Error that names the line. */
export function read(text: string): Settings {
  const settings: Settings = {}
  let section: Record<string, unknown> | undefined
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd()
    if (line.trim() === '' || line.trim().startsWith('#')) continue
    const heading = /^(\w+):$/.exec(line)
    const setting = /^\s+(\w+):\s*(.*)$/.exec(line)
    if (heading?.[1]) section = settings[heading[1]] ??= {}
    else if (setting?.[1] && section) section[setting[1]] = parsed(setting[2] ?? '', at + 1)
    else throw new Error(`Line ${at + 1} is neither "section:" nor "  setting: value": ${line.trim()}`)
  }
  return settings
}

/** What of the settings is not as in the policy: only that is sent, so that others' changes of the rest stay. */
export function changed(policy: object, settings: Settings): Settings {
  const before = policy as Settings
  const differs = (section: string, name: string, value: unknown) =>
    JSON.stringify(before[section]?.[name]) !== JSON.stringify(value)
  const sections = Object.entries(settings).map(([section, values]): [string, Record<string, unknown>] => [
    section,
    Object.fromEntries(Object.entries(values).filter(([name, value]) => differs(section, name, value))),
  ])
  return Object.fromEntries(sections.filter(([, values]) => Object.keys(values).length > 0))
}
