import type { NewTask, Task } from '@/lib/api/types'

export const METRICS: NewTask['metric'][] = [
  'exact_match',
  'token_f1',
  'rouge_l',
  'chrf',
  'contains',
  'number',
  'json_fields',
  'perplexity',
  'choice',
  'judge',
]

export const EXAMS: { value: Task['exam']; label: string }[] = [
  { value: 'auto', label: 'By the rows: held out, or asked again' },
  { value: 'held_out', label: 'Held-out rows' },
  { value: 'recall', label: 'Taught prompts, asked again' },
]

/** A task as its form holds it; numbers are the text that was typed. */
export type Fields = {
  name: string
  description: string
  metric: NewTask['metric']
  margin: string
  holdout: string
  exam: Task['exam']
  group: string
  weight: string
  protected: boolean
  watched: boolean
}

const NEW: Fields = {
  name: '',
  description: '',
  metric: 'exact_match',
  margin: '',
  holdout: '0.2',
  exam: 'auto',
  group: '',
  weight: '1',
  protected: false,
  watched: false,
}

export const fieldsOf = (task: Task | undefined): Fields =>
  task
    ? {
        ...task,
        margin: task.margin === null ? '' : String(task.margin),
        holdout: String(task.holdout),
        weight: String(task.weight),
        group: task.group ?? '',
      }
    : NEW

/** What the API takes; no margin means the policy's. */
export const taskOf = (fields: Fields): NewTask => ({
  name: fields.name.trim(),
  description: fields.description.trim(),
  metric: fields.metric,
  margin: fields.margin.trim() === '' ? null : Number(fields.margin),
  holdout: Number(fields.holdout),
  exam: fields.exam,
  group: fields.group.trim() || null,
  weight: Number(fields.weight),
  protected: fields.protected,
  watched: fields.watched,
})

const EDITABLE = [
  'description',
  'margin',
  'holdout',
  'exam',
  'group',
  'weight',
  'protected',
  'watched',
] as const

/** Only what differs: somebody else's change of another field stays. */
export function changesOf(task: Task, fields: Fields): Partial<NewTask> {
  const wanted = taskOf(fields)
  return Object.fromEntries(
    EDITABLE.filter((name) => wanted[name] !== task[name]).map((name) => [name, wanted[name]]),
  )
}
