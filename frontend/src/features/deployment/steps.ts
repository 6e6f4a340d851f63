import type { RailNode } from '@/components/Rail'
import { type Look, rolloutLook, verdictLook } from '@/components/status'
import type { Analysis, Deployment, Rollout } from '@/lib/api/types'
import { count, percent } from '@/lib/format'

const AHEAD: Look = { tone: 'idle', icon: 'wait', label: 'Ahead' }
const PASSED: Look = { tone: 'ok', icon: 'check', label: 'Passed' }

const lastOn = (rollout: Rollout, step: number): Analysis | undefined =>
  rollout.verdicts.findLast((verdict) => verdict.step === step)

const seen = (analysis: Analysis): number => Math.max(0, ...analysis.checks.map((check) => check.n))

/** How the rollout stands on its present step: its own state, or the last verdict while it runs. */
export function presentLook(rollout: Rollout): Look {
  const last = lastOn(rollout, rollout.step)
  return rollout.state === 'running' && last ? verdictLook(last.verdict) : rolloutLook(rollout.state)
}

const requests = (deployment: Deployment): number | undefined =>
  deployment.traffic.find((window) => window.release_id === deployment.candidate)?.requests

/** One node per step and one for "all of it". The present step counts live; past ones tell what they passed on. */
export function nodes(rollout: Rollout, deployment: Deployment): RailNode[] {
  const shares = rollout.steps.at(-1) === 100 ? rollout.steps : [...rollout.steps, 100]
  return shares.map((share, at) => {
    const key = String(share)
    const name = percent(share)
    if (rollout.state === 'promoted' || at < rollout.step) {
      const last = lastOn(rollout, at)
      return { key, name, look: PASSED, meta: last ? `Passed, n ${count(seen(last))}` : 'Passed' }
    }
    if (at > rollout.step) return { key, name, look: AHEAD, meta: 'Ahead' }
    const look = presentLook(rollout)
    const n = requests(deployment)
    return { key, name, look, meta: n === undefined ? look.label : `${look.label}, n ${count(n)}` }
  })
}

/** Why the rollout stands where it stands. Verdicts are kept when they change, so a count of requests is told live. */
export function present(rollout: Rollout, deployment: Deployment): string {
  if (rollout.state === 'waiting') return 'Waiting until the engine holds the release.'
  const last = lastOn(rollout, rollout.step)
  if (rollout.state !== 'running' || !last) return rollout.reason ?? 'Waiting for the first requests.'
  const minimum = last.checks.find((check) => check.name === 'requests')?.limit
  const n = requests(deployment)
  if (last.verdict === 'hold' && minimum !== undefined && n !== undefined && n < minimum)
    return `${count(n)} of at least ${count(minimum)} requests seen on this step.`
  return last.reason
}
