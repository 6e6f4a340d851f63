import { releasesQuery } from '@/lib/api/releases'
import { release as nameOf } from '@/lib/format'
import type { Commands } from '@/lib/page'

export const commands: Commands = async (client, model) => {
  const { items } = await client.fetchQuery(releasesQuery(model))
  return items.map((release) => ({
    group: 'Releases',
    name: `Release ${nameOf(release.number)}`,
    note: [release.alias, release.release_id.slice(0, 12)].filter(Boolean).join(' · '),
    to: `/releases/${release.release_id}`,
  }))
}
