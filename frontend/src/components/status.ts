import type { IconName } from './Icon'

/** How a state looks: always an icon and a word with the colour. */
export type Tone = 'ok' | 'warn' | 'bad' | 'run' | 'idle'
export type Look = { tone: Tone; icon: IconName; label: string }

const UPDATE: Record<string, Look> = {
  queued: { tone: 'idle', icon: 'wait', label: 'Queued' },
  running: { tone: 'run', icon: 'run', label: 'Running' },
  succeeded: { tone: 'ok', icon: 'check', label: 'Succeeded' },
  rejected: { tone: 'bad', icon: 'cross', label: 'Rejected' },
  inconclusive: { tone: 'warn', icon: 'question', label: 'Inconclusive' },
  'rolled-back': { tone: 'bad', icon: 'undo', label: 'Rolled back' },
  failed: { tone: 'bad', icon: 'alert', label: 'Failed' },
  cancelling: { tone: 'warn', icon: 'stop', label: 'Cancelling' },
  cancelled: { tone: 'idle', icon: 'stop', label: 'Cancelled' },
}

const STAGE: Record<string, Look> = {
  waiting: { tone: 'idle', icon: 'wait', label: 'Waiting' },
  running: { tone: 'run', icon: 'run', label: 'Running' },
  done: { tone: 'ok', icon: 'check', label: 'Done' },
  failed: { tone: 'bad', icon: 'cross', label: 'Stopped here' },
  skipped: { tone: 'idle', icon: 'skip', label: 'Not reached' },
}

const VERDICT: Record<string, Look> = {
  pass: { tone: 'ok', icon: 'check', label: 'Pass' },
  fail: { tone: 'bad', icon: 'cross', label: 'Fail' },
  inconclusive: { tone: 'warn', icon: 'question', label: 'Inconclusive' },
  error: { tone: 'bad', icon: 'alert', label: 'Not possible' },
  'no-data': { tone: 'idle', icon: 'skip', label: 'No data' },
  promote: { tone: 'ok', icon: 'check', label: 'Promote' },
  rollback: { tone: 'bad', icon: 'undo', label: 'Roll back' },
  hold: { tone: 'run', icon: 'wait', label: 'Hold' },
}

const ROLLOUT: Record<string, Look> = {
  waiting: { tone: 'idle', icon: 'wait', label: 'Loading' },
  running: { tone: 'run', icon: 'run', label: 'Running' },
  paused: { tone: 'warn', icon: 'pause', label: 'Paused' },
  promoted: { tone: 'ok', icon: 'check', label: 'Promoted' },
  aborted: { tone: 'idle', icon: 'stop', label: 'Aborted' },
  'rolled-back': { tone: 'bad', icon: 'undo', label: 'Rolled back' },
}

const unknown = (name: string): Look => ({ tone: 'idle', icon: 'question', label: name })

export const updateLook = (state: string): Look => UPDATE[state] ?? unknown(state)
export const stageLook = (state: string): Look => STAGE[state] ?? unknown(state)
export const verdictLook = (verdict: string): Look => VERDICT[verdict] ?? unknown(verdict)
export const rolloutLook = (state: string): Look => ROLLOUT[state] ?? unknown(state)

export const UPDATE_STATES = Object.keys(UPDATE)
export const isOver = (state: string): boolean => !['queued', 'running', 'cancelling'].includes(state)
