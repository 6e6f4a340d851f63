/** Query keys in one place, so that an event's topic can say which of them it makes stale. */
export const keys = {
  overview: (model?: string) => ['overview', ...(model ? [model] : [])] as const,
  models: () => ['models'] as const,
  updates: (filter?: { model?: string; state?: string }) => ['updates', ...(filter ? [filter] : [])] as const,
  update: (id: string) => ['update', id] as const,
  log: (id: string) => ['update-log', id] as const,
  deployment: (model?: string) => ['deployment', ...(model ? [model] : [])] as const,
  batches: (model?: string) => ['batches', ...(model ? [model] : [])] as const,
  refusals: (batch: string) => ['refusals', batch] as const,
  conflicts: (model?: string) => ['conflicts', ...(model ? [model] : [])] as const,
  history: (model?: string, of?: string) => ['history', ...(model ? [model, of] : [])] as const,
  ledger: (model?: string) => ['ledger', ...(model ? [model] : [])] as const,
  releases: (model?: string) => ['releases', ...(model ? [model] : [])] as const,
  release: (id?: string) => ['release', ...(id ? [id] : [])] as const,
  audit: (filter?: { action?: string; object_id?: string }) =>
    ['audit', ...(filter ? [filter] : [])] as const,
}

export const TOPICS = [
  'update',
  'deployment',
  'release',
  'batch',
  'conflict',
  'task',
  'model',
  'audit',
] as const
export type Topic = (typeof TOPICS)[number]

/** What an event makes stale. Events carry ids only; the data comes through the normal GET. */
export function staleKeys(topic: Topic, objectId: string): (readonly unknown[])[] {
  switch (topic) {
    case 'update':
      return [keys.overview(), keys.updates(), keys.update(objectId), keys.log(objectId), keys.ledger()]
    case 'deployment':
      return [keys.overview(), keys.deployment(), keys.releases(), keys.release()]
    case 'release':
      return [keys.overview(), keys.releases(), keys.deployment(), keys.ledger()]
    case 'batch':
      return [keys.overview(), keys.models(), keys.batches(), keys.conflicts(), keys.history()]
    case 'conflict':
      return [keys.overview(), keys.conflicts(), keys.history()]
    case 'task':
    case 'model':
      return [keys.overview(), keys.models()]
    case 'audit':
      return [keys.overview(), keys.audit()]
  }
}
