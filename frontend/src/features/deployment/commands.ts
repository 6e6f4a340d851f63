import { namer, releasesQuery } from '@/lib/api/releases'
import type { Commands } from '@/lib/page'
import { type ActionName, deploymentQuery } from './api'
import { words } from './words'

export const commands: Commands = async (client, model) => {
  const deployment = await client.fetchQuery(deploymentQuery(model))
  const { items } = await client.fetchQuery(releasesQuery(model))
  return deployment.allowed_actions
    .filter((allowed) => allowed.enabled)
    .map(({ action }) => ({
      group: 'Actions',
      name: words(action as ActionName, deployment, namer(items)).confirm,
      note: 'Deployment',
      to: '/deployment',
      search: { ask: action },
    }))
}
