import { updateLook } from '@/components/status'
import type { Commands } from '@/lib/page'
import { updatesQuery } from './api'

export const commands: Commands = async (client, model) => {
  const { pages } = await client.fetchInfiniteQuery(updatesQuery({ model }))
  const items = pages.flatMap((page) => page.items)
  const cancellable = items.filter((update) => update.allowed_actions.includes('cancel'))
  return [
    ...cancellable.map((update) => ({
      group: 'Actions',
      name: `Cancel the update of ${update.task}`,
      note: update.id,
      to: `/updates/${update.id}`,
      search: { ask: 'cancel' },
    })),
    ...items.map((update) => ({
      group: 'Updates',
      name: `Update of ${update.task}`,
      note: `${updateLook(update.state).label} · ${update.id}`,
      to: `/updates/${update.id}`,
    })),
  ]
}
