import type {
  Analysis,
  Deployment,
  GateVerdict,
  Ledger,
  LedgerCell,
  Model,
  Overview,
  Release,
  Rollout,
  Update,
  UpdateStage,
} from '@/lib/api/types'

export const NOW = '2026-03-02T12:00:00Z'
export const MODEL = 'support-assistant'
export const id = (number: number): string => String(number).repeat(64)
const POLICY = { gate: { margin: 0.05, confidence: 0.95 } } as Model['policy']

const task = (name: string, margin: number | null = null): Model['tasks'][number] => ({
  name,
  margin,
  description: `What ${name} is for`,
  metric: 'exact_match',
  holdout: 0.2,
  exam: 'auto',
  open_slice: 2,
  group: null,
  weight: 1,
  protected: false,
  watched: false,
  created_at: NOW,
})

export const model = (more: Partial<Model> = {}): Model => ({
  name: MODEL,
  base_reference: 'smollm2-135m-instruct',
  base_hash: id(0),
  revision: 1,
  demo: true,
  policy: POLICY,
  created_at: NOW,
  tasks: [task('intent'), task('details'), task('facts')],
  ...more,
})

const STAGES = ['snapshot', 'mixture', 'train', 'evaluate', 'gate', 'release', 'rollout']

/** Seven stages: those before `at` are done, `at` itself is in `state`, the others are still to come. */
export const stages = (at: number, state: UpdateStage['state'] = 'running'): UpdateStage[] =>
  STAGES.map((name, position) => ({
    name,
    state: position < at ? 'done' : position === at ? state : 'waiting',
    attempts: position > at ? 0 : name === 'train' ? 2 : 1,
    started_at: position > at ? null : NOW,
    finished_at: position < at ? '2026-03-02T12:00:05Z' : null,
    detail: name === 'mixture' && position < at ? { new_rows: 160, content_hash: id(7) } : null,
  }))

export const gate = (verdict: GateVerdict['verdict'] = 'pass'): GateVerdict => ({
  verdict,
  learned_nothing: false,
  doubted: false,
  reason: verdict === 'pass' ? 'No task lost more than its margin.' : 'intent lost 0.52, its margin is 0.05.',
  tasks: [
    {
      task: 'intent',
      role: 'original',
      verdict,
      reason: '0.41 against 0.93 on 80 examples, difference -0.52 (95 % bound -0.62), margin 0.05',
      candidate: 0.41,
      champion: 0.93,
      difference: -0.52,
      lower_bound: -0.62,
      margin: 0.05,
      n: 80,
      more_examples: verdict === 'inconclusive' ? 140 : null,
      stale: 2,
      slices: [
        { name: 'legacy', verdict, candidate: 0.41, champion: 0.93, difference: -0.52, n: 60, stale: 0 },
        { name: 'new', verdict: 'pass', candidate: 0.9, champion: 0.1, difference: 0.8, n: 20, stale: 2 },
      ],
    },
  ],
})

export const update = (more: Partial<Update> = {}): Update => ({
  id: 'upd_1',
  model: MODEL,
  task: 'facts',
  kind: 'learn',
  state: 'running',
  stage: 'train',
  trigger: 'volume',
  trigger_reason: '160 new rows, 120 asked for',
  champion: id(2),
  release_id: null,
  release_number: null,
  rollout_id: null,
  verdict: null,
  tries: [],
  outcome: null,
  progress: {
    stage: 'train',
    step: 30,
    steps: 60,
    tokens_per_second: 412,
    eta_seconds: 35,
    loss: 0.5,
    at: '2100-01-01T00:00:00Z', // never stalled, however slow the machine
  },
  allowed_actions: ['cancel'],
  revision: 4,
  created_at: NOW,
  started_at: NOW,
  finished_at: null,
  stages: stages(2),
  ...more,
})

export const cell = (number: number | null, score: number, more: Partial<LedgerCell> = {}): LedgerCell => ({
  release_id: number === null ? null : id(number),
  number,
  update_id: number === 1 ? null : `upd_${number ?? 9}`,
  suite_hash: id(5),
  score,
  n: 80,
  misrouted: 1,
  state: number === null ? 'rejected' : 'released',
  ...more,
})

const row = (name: string, cells: LedgerCell[]): Ledger['tasks'][number] => ({
  task: name,
  metric: 'exact_match',
  cells,
  best: 0.93,
  first: 0.93,
  previous: 0.93,
  current: 0.93,
  slices: [],
  tracks: cells.map((one) => ({
    release_id: one.release_id,
    number: one.number,
    update_id: one.update_id,
    legacy: one.number === 2 ? null : one.score,
    new: one.number === 2 ? one.score : null,
    recall: null,
    stale: 0,
  })),
})

export const ledger = (): Ledger => ({
  model: MODEL,
  tasks: [
    row('intent', [cell(1, 0.11), cell(2, 0.93), cell(3, 0.92), cell(null, 0.41)]),
    row('details', [cell(1, 0.02), cell(3, 0.88), cell(null, 0.88)]),
  ],
  average_performance: 0.9,
  weighted: false,
  backward_transfer: -0.01,
  forward_transfer: 0.02,
  forgetting: 0.01,
  forgetting_from_first: 0.01,
  general_change: null,
  as_of: NOW,
})

export const overview = (more: Partial<Overview> = {}): Overview => ({
  as_of: NOW,
  verdict: { level: 'attention', sentence: 'Serving support-assistant v3, 1 item needs you.' },
  models: [MODEL],
  model: MODEL,
  serving: {
    champion: { release_id: id(3), number: 3 },
    previous: { release_id: id(2), number: 2 },
    candidate: { release_id: id(4), number: 4 },
    candidate_share: 10,
  },
  ledger: ledger(),
  running_update: update(),
  attention: [{ level: 'attention', sentence: 'Update of intent was rejected.', link: '/updates/upd_9' }],
  events: [
    {
      sequence: 9,
      at: NOW,
      actor: 'worker',
      action: 'rollout.start',
      object_kind: 'rollout',
      object_id: 'rol_4',
      sentence: 'Rollout begins: rol_4',
    },
  ],
  ...more,
})

export const analysis = (step: number, verdict: string, n: number): Analysis => ({
  step,
  at: NOW,
  verdict,
  reason: `${n} requests, 0 errors`,
  checks: [
    { name: 'requests', verdict: verdict === 'hold' ? 'no-data' : 'pass', observed: n, limit: 20, n },
    { name: 'error rate', verdict: 'pass', observed: 0, limit: 0.05, n },
  ],
})

export const rollout = (more: Partial<Rollout> = {}): Rollout => ({
  id: 'rol_4',
  model: MODEL,
  release_id: id(4),
  baseline: id(3),
  update_id: 'upd_1',
  kind: 'canary',
  state: 'running',
  step: 1,
  steps: [10, 50],
  step_started_at: NOW,
  verdicts: [analysis(0, 'promote', 22), analysis(1, 'hold', 1)],
  allowed_actions: ['promote', 'pause', 'abort', 'rollback'],
  reason: null,
  rollback_ms: null,
  revision: 3,
  created_at: NOW,
  finished_at: null,
  ...more,
})

type Window = Deployment['traffic'][number]
const traffic = (release: number, share: number, requests: number): Window => ({
  release_id: id(release),
  share,
  requests,
  errors: 0,
  latency_p95_ms: requests > 0 ? 800 : null,
  feedback_mean: null,
  feedback_count: 0,
  window_seconds: 60,
})

/** What the server allows: everything that `enabled` names; the others with a reason. */
export const actions = (...enabled: string[]): Deployment['allowed_actions'] =>
  (['promote', 'pause', 'resume', 'abort', 'rollback'] as const).map((action) => ({
    action,
    enabled: enabled.includes(action),
    reason: enabled.includes(action) ? null : 'no rollout is under way',
  }))

export const deployment = (more: Partial<Deployment> = {}): Deployment => ({
  model: MODEL,
  champion: id(3),
  previous: id(2),
  candidate: id(4),
  candidate_share: 50,
  revision: 7,
  updated_at: NOW,
  rollout: rollout(),
  traffic: [traffic(3, 50, 40), traffic(4, 50, 11)],
  history: [
    rollout(),
    rollout({
      id: 'rol_3',
      release_id: id(3),
      baseline: id(2),
      state: 'promoted',
      reason: 'all passed',
      finished_at: NOW,
    }),
  ],
  allowed_actions: actions('promote', 'pause', 'abort', 'rollback'),
  as_of: NOW,
  ...more,
})

/** The deployment when no rollout is under way. */
export const quiet = (more: Partial<Deployment> = {}): Deployment =>
  deployment({
    candidate: null,
    candidate_share: 0,
    rollout: null,
    traffic: [traffic(3, 100, 40)],
    allowed_actions: actions('rollback'),
    ...more,
  })

export const release = (number: number): Release => ({
  release_id: id(number),
  number,
  model: MODEL,
  parent: null,
  update_id: null,
  created_at: NOW,
  alias: null,
  base: id(0),
  experts: {},
  router_hash: null,
  verdict: null,
  mlflow_version: null,
})
