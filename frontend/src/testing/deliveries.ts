import type { Batch, IngestReport, Refusal } from '@/lib/api/types'

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
