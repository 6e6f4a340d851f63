import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Column } from '@/components/columns'
import { DataTable } from '@/components/DataTable'
import { Icon } from '@/components/Icon'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { useActiveModel } from '@/lib/api/models'
import type { Model, Task } from '@/lib/api/types'
import { count, MISSING, percent, word } from '@/lib/format'
import { useAsk } from '@/lib/useAsk'
import { tasksQuery } from './api'
import { EXAMS } from './fields'
import { TaskDialog } from './TaskDialog'
import css from './Tasks.module.css'

const ofThe = (model: Model, task: Task) => task.margin ?? model.policy.gate.margin
const yes = (value: boolean) => (value ? 'yes' : 'no')

type Rows = Record<string, { rows: number; suite: number }>
const shown = (value: number | undefined) => (value === undefined ? MISSING : count(value))

const columnsOf = (model: Model, data: Rows): Column<Task>[] => [
  { id: 'task', header: 'Task', value: (task) => task.name, cell: (task) => task.name, names: true },
  {
    id: 'for',
    header: 'What it is for',
    value: (task) => task.description,
    cell: (task) => task.description,
  },
  {
    id: 'metric',
    header: 'Metric',
    value: (task) => word(task.metric),
    cell: (task) => word(task.metric),
    look: 'fit',
  },
  {
    id: 'rows',
    header: 'Rows',
    value: (task) => data[task.name]?.rows ?? null,
    cell: (task) => shown(data[task.name]?.rows),
    look: 'right',
  },
  {
    id: 'suite',
    header: 'Held out',
    value: (task) => data[task.name]?.suite ?? null,
    cell: (task) => shown(data[task.name]?.suite),
    look: 'right',
  },
  {
    id: 'margin',
    header: 'Margin',
    value: (task) => ofThe(model, task),
    cell: (task) => `${ofThe(model, task)}${task.margin === null ? ' (policy)' : ''}`,
    look: 'right',
  },
  {
    id: 'exam',
    header: 'Exam',
    value: (task) => word(task.exam),
    cell: (task) => word(task.exam),
    look: 'fit',
  },
  {
    id: 'group',
    header: 'Group',
    value: (task) => task.group,
    cell: (task) => task.group ?? MISSING,
    look: 'fit',
  },
  {
    id: 'weight',
    header: 'Weight',
    value: (task) => task.weight,
    cell: (task) => task.weight,
    look: 'right',
  },
  {
    id: 'protected',
    header: 'Protected',
    value: (task) => yes(task.protected),
    cell: (task) => yes(task.protected),
    look: 'fit',
  },
  {
    id: 'watched',
    header: 'Watched',
    value: (task) => yes(task.watched),
    cell: (task) => yes(task.watched),
    look: 'fit',
  },
]

/** A task with what can be done about it. */
function TaskPeek({ model, task }: { model: Model; task: Task }) {
  const question = useAsk(`edit ${task.name}`)
  return (
    <div className={css.stack}>
      <p>{task.description || 'Nobody has said what it is for.'}</p>
      <p>
        Judged by {word(task.metric)}; a release may lose at most {ofThe(model, task)}.{' '}
        {percent(100 * task.holdout)} of its new rows are kept for the exam. Exam:{' '}
        {EXAMS.find((exam) => exam.value === task.exam)?.label}.
      </p>
      <p>
        <Link to="/ledger" search={(old) => ({ model: old.model, task: task.name })}>
          Its history in the ledger
        </Link>
      </p>
      <div>
        <Button variant="default" leftSection={<Icon name="pencil" size={14} />} onClick={question.open}>
          Edit task
        </Button>
      </div>
      {question.opened ? <TaskDialog model={model} task={task} opened onClose={question.close} /> : null}
    </div>
  )
}

function AddTask({ model }: { model: Model }) {
  const question = useAsk('add')
  return (
    <>
      <Button leftSection={<Icon name="plus" size={14} />} onClick={question.open}>
        Add task
      </Button>
      {question.opened ? <TaskDialog model={model} opened onClose={question.close} /> : null}
    </>
  )
}

function Table({ model }: { model: Model }) {
  const { data } = useQuery(tasksQuery(model.name))
  const columns = useMemo(
    () => columnsOf(model, Object.fromEntries((data?.items ?? []).map((task) => [task.name, task]))),
    [model, data],
  )
  return (
    <DataTable
      title="All tasks"
      caption={`Tasks of ${model.name}`}
      columns={columns}
      rows={model.tasks}
      id={(task) => task.name}
      scope={model.name}
      peek={{ title: (task) => task.name, content: (task) => <TaskPeek model={model} task={task} /> }}
    />
  )
}

export function TasksPage() {
  const { model, query } = useActiveModel()
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[320]} />
    if (!model) return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (model.tasks.length === 0)
      return (
        <Empty
          title="No task yet"
          steps={['Add a task', 'Send its rows on the page Data', 'Start an update: the model learns them']}
        >
          A task is something that the model must be able to do and never lose.
        </Empty>
      )
    return <Table model={model} />
  }
  return (
    <>
      <PageHeader
        title="Tasks"
        sub="What the model must be able to do, how that is judged, and how much of it may be lost."
        actions={model ? <AddTask model={model} /> : null}
      />
      {content()}
    </>
  )
}
