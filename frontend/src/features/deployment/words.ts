import type { NameOf } from '@/lib/api/releases'
import type { Deployment } from '@/lib/api/types'
import type { ActionName } from './api'

export type Words = { title: string; confirm: string; effect: string; danger: boolean }

/** What an action will do, said before it is done. */
export function words(action: ActionName, deployment: Deployment, nameOf: NameOf): Words {
  const champion = nameOf(deployment.champion)
  const candidate = nameOf(deployment.candidate)
  switch (action) {
    case 'rollback':
      return deployment.candidate
        ? {
            title: `Roll ${candidate} back?`,
            confirm: `Roll back to ${champion}`,
            effect: `Candidate ${candidate} goes from ${deployment.candidate_share} % to 0 % of the requests at once; champion ${champion} answers all of them.`,
            danger: true,
          }
        : {
            title: `Roll ${champion} back?`,
            confirm: `Roll back to ${nameOf(deployment.previous)}`,
            effect: `All requests go from ${champion} to ${nameOf(deployment.previous)} at once. It was the champion before and is still loaded.`,
            danger: true,
          }
    case 'promote':
      return {
        title: `Promote ${candidate} now?`,
        confirm: `Promote ${candidate}`,
        effect: `${candidate} becomes the champion and answers all requests, without the canary's remaining steps. ${champion} stays loaded, so that a rollback is instant.`,
        danger: false,
      }
    case 'abort':
      return {
        title: `Abort the rollout of ${candidate}?`,
        confirm: 'Abort rollout',
        effect: `${candidate} goes to 0 % of the requests and the rollout ends. ${champion} answers all of them.`,
        danger: true,
      }
    case 'pause':
      return {
        title: `Pause the rollout of ${candidate}?`,
        confirm: 'Pause rollout',
        effect: `${candidate} stays at ${deployment.candidate_share} % until someone resumes. A failing check still rolls it back.`,
        danger: false,
      }
    case 'resume':
      return {
        title: `Resume the rollout of ${candidate}?`,
        confirm: 'Resume rollout',
        effect: `The canary goes on from its present step at ${deployment.candidate_share} %.`,
        danger: false,
      }
  }
}
