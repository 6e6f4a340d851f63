import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { model } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

it('lists the tasks with what they are judged by', async () => {
  const { user } = open('/tasks')
  await heading('Tasks')
  const table = within(await screen.findByRole('table', { name: 'Tasks of support-assistant' }))
  expect(await table.findAllByRole('row', { name: /1,200/ })).toHaveLength(3)
  expect(table.getByRole('row', { name: /^intent/ })).toHaveTextContent(
    'intentWhat intent is forexact match1,200240.05 (policy)auto–1nono',
  )
  await user.click(table.getByRole('button', { name: 'details' }))
  const peek = within(await screen.findByRole('region', { name: 'Peek: details' }))
  expect(peek.getByText(/a release may lose at most 0.05/)).toBeVisible()
  expect(peek.getByRole('link', { name: /history/ })).toHaveAttribute('href', '/ledger?task=details')
  await expectAccessible()
})

it('changes only what was changed in the dialog', async () => {
  let asked: unknown
  server.use(
    http.patch(at('/models/support-assistant/tasks/facts'), async ({ request }) => {
      asked = await request.json()
      return HttpResponse.json(model().tasks[2])
    }),
  )
  const { user } = open('/tasks?peek=facts')
  await user.click(await screen.findByRole('button', { name: 'Edit task' }))
  const dialog = within(await screen.findByRole('dialog', { name: 'Edit facts' }))
  await expectAccessible()
  await user.type(dialog.getByLabelText('Margin'), '0.02')
  await user.click(dialog.getByRole('switch', { name: /Protected/ }))
  await user.click(dialog.getByRole('button', { name: 'Save task' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  expect(asked).toEqual({ margin: 0.02, protected: true })
})

it('adds a task, and says why one was refused', async () => {
  let asked: unknown
  server.use(
    http.post(at('/models/support-assistant/tasks'), async ({ request }) => {
      asked = await request.json()
      return problem(409, 'Conflict', 'There is a task tone already.')
    }),
  )
  const { user } = open('/tasks')
  await user.click(await screen.findByRole('button', { name: 'Add task' }))
  const dialog = within(await screen.findByRole('dialog'))
  await user.type(dialog.getByLabelText('Name'), 'tone')
  await user.selectOptions(dialog.getByLabelText('Metric'), 'contains')
  await user.click(dialog.getByRole('button', { name: 'Add task' }))
  expect(await dialog.findByRole('alert')).toHaveTextContent('There is a task tone already.')
  expect(asked).toEqual({
    name: 'tone',
    description: '',
    metric: 'contains',
    margin: null,
    holdout: 0.2,
    exam: 'auto',
    group: null,
    weight: 1,
    protected: false,
    watched: false,
  })
})

it('says where there is no task, no model, or no answer', async () => {
  server.use(answers('/models', { items: [model({ tasks: [] })] }))
  const first = open('/tasks')
  expect(await screen.findByText('No task yet')).toBeVisible()
  await expectAccessible()
  first.unmount()
  server.use(answers('/models', { items: [] }))
  const second = open('/tasks')
  expect(await screen.findByText('No model yet')).toBeVisible()
  second.unmount()
  server.use(fails('/models'))
  open('/tasks')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
})
