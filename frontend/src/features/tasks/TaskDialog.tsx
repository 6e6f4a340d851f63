import { NativeSelect, Switch, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Confirm } from '@/components/Confirm'
import type { Model, Task } from '@/lib/api/types'
import { word } from '@/lib/format'
import { addTask, editTask } from './api'
import { changesOf, EXAMS, type Fields, fieldsOf, METRICS, taskOf } from './fields'
import css from './Tasks.module.css'

type FormProps = {
  fields: Fields
  isNew: boolean
  usualMargin: number
  onChange: (change: Partial<Fields>) => void
}

function Form({ fields, isNew, usualMargin, onChange }: FormProps) {
  const text = (name: 'name' | 'description' | 'group', label: string, placeholder: string) => (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={fields[name]}
      onChange={(event) => onChange({ [name]: event.currentTarget.value })}
    />
  )
  const number = (name: 'margin' | 'holdout' | 'weight', label: string, description: string) => (
    <TextInput
      type="number"
      step="any"
      min={0}
      label={label}
      description={description}
      value={fields[name]}
      onChange={(event) => onChange({ [name]: event.currentTarget.value })}
    />
  )
  const onOff = (name: 'protected' | 'watched', label: string) => (
    <Switch
      label={label}
      checked={fields[name]}
      onChange={(event) => onChange({ [name]: event.currentTarget.checked })}
    />
  )
  return (
    <div className={css.form}>
      {isNew ? text('name', 'Name', 'intent') : null}
      {text('description', 'What it is for', 'Tells what a customer wants')}
      {isNew ? (
        <NativeSelect
          label="Metric"
          data={METRICS.map((value) => ({ value, label: word(value) }))}
          value={fields.metric}
          onChange={(event) => onChange({ metric: event.currentTarget.value as Fields['metric'] })}
        />
      ) : null}
      <NativeSelect
        label="Exam"
        data={EXAMS}
        value={fields.exam}
        onChange={(event) => onChange({ exam: event.currentTarget.value as Fields['exam'] })}
      />
      {text('group', 'Group', 'none')}
      {number('margin', 'Margin', `Loss of score that passes the gate; empty: the policy's ${usualMargin}`)}
      {number('holdout', 'Held out', 'Share of new rows that is kept for the exam, at most 0.9')}
      {number('weight', 'Weight', 'In the weighted average')}
      {onOff('protected', 'Protected: any shown loss fails an update, and it is not removed')}
      {onOff('watched', 'Watched: scored with every update, though nothing teaches it')}
    </div>
  )
}

type Props = { model: Model; task?: Task; opened: boolean; onClose: () => void }

/** Adds a task, or edits one: what it is called and judged by can't change, since its scores would mean something else. */
export function TaskDialog({ model, task, opened, onClose }: Props) {
  const [fields, setFields] = useState(() => fieldsOf(task))
  const client = useQueryClient()
  const save = useMutation({
    mutationFn: () =>
      task ? editTask(model.name, task.name, changesOf(task, fields)) : addTask(model.name, taskOf(fields)),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: ['models'] }),
  })
  return (
    <Confirm
      opened={opened}
      title={task ? `Edit ${task.name}` : `Add a task to ${model.name}`}
      confirm={task ? 'Save task' : 'Add task'}
      dismiss={task ? 'Leave as it is' : 'Not now'}
      pending={save.isPending}
      error={save.error}
      onConfirm={() => save.mutate()}
      onClose={onClose}
    >
      <Form
        fields={fields}
        isNew={!task}
        usualMargin={model.policy.gate.margin}
        onChange={(change) => setFields({ ...fields, ...change })}
      />
    </Confirm>
  )
}
