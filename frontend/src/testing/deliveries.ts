import type { Batch, Contradiction, IngestReport, Refusal, Version } from '@/lib/api/types'

const NOW = '2026-03-02T12:00:00Z'
const MODEL = 'support-assistant'

export const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  line: 3,
  field: 'completion',
  reason: 'is missing or empty',
  sample: '{"prompt": "How much',
  ...more,
})

export const report = (more: Partial<IngestReport> = {}): IngestReport => ({
  batch_id: 'bat_1',
  model: MODEL,
  task: 'facts',
  received: 49,
  accepted: 48,
  duplicate: 0,
  refused: 1,
  suite: false,
  dataset_version: 3,
  into_suite: 9,
  superseding: 0,
  late: 0,
  contradicting: 0,
  notes: [],
  refusals: [refusal()],
  unchecked: null,
  advice: null,
  ...more,
})

export const batch = (more: Partial<Batch> = {}): Batch => ({
  id: 'bat_1',
  model: MODEL,
  task: 'facts',
  source: 'upload',
  suite: false,
  state: 'committed',
  received: 49,
  accepted: 48,
  duplicate: 0,
  refused: 1,
  into_suite: 9,
  superseding: 0,
  late: 0,
  contradicting: 0,
  notes: [],
  dataset_version: 3,
  created_at: NOW,
  finished_at: NOW,
  ...more,
})

const option = (answer: string, more: Partial<Contradiction['options'][number]> = {}) => ({
  record_id: `rec_${answer}`,
  answer,
  event_time: NOW,
  source: 'upload',
  batch_id: 'bat_1',
  held_out: false,
  new: false,
  ...more,
})

export const contradiction = (more: Partial<Contradiction> = {}): Contradiction => ({
  id: 'cfl_1',
  model: MODEL,
  task: 'facts',
  batch_id: 'bat_2',
  key: 'key',
  prompt: 'What does the lamp cost?',
  reason: 'two answers of the same moment',
  options: [option('12 euros'), option('15 euros', { new: true, batch_id: 'bat_2' })],
  state: 'open',
  decision: null,
  decided_by: null,
  created_at: NOW,
  decided_at: null,
  allowed_actions: ['resolve'],
  ...more,
})

export const version = (answer: string, more: Partial<Version> = {}): Version => ({
  record_id: `rec_${answer}`,
  task: 'facts',
  key: 'key',
  prompt: 'What does the lamp cost?',
  answer,
  event_time: NOW,
  ingested_at: NOW,
  source: 'upload',
  batch_id: 'bat_1',
  author: null,
  held_out: false,
  slice: null,
  state: 'holds',
  superseded_by: null,
  ...more,
})
