import { screen, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { contradiction, version } from '@/testing/fixtures'
import { expectAccessible, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

const waiting = [contradiction(), contradiction({ id: 'cfl_2', prompt: 'And the rug?' })]

it('shows answers that contradict each other and takes a decision', async () => {
  let decided: unknown
  let left = waiting
  server.use(
    http.get(at('/conflicts'), () => HttpResponse.json({ items: left, next_cursor: null })),
    http.post(at('/conflicts/cfl_1:resolve'), async ({ request }) => {
      decided = await request.json()
      left = waiting.slice(1)
      return HttpResponse.json(contradiction({ state: 'resolved', decision: 'newest' }))
    }),
  )
  const { user } = open('/data')
  expect(await screen.findByText('2 wait for you')).toBeVisible()
  const first = screen.getByRole('article', { name: 'What does the lamp cost?' })
  expect(within(first).getByText('15 euros')).toBeVisible()
  await expectAccessible()
  await user.click(within(first).getByRole('button', { name: 'The newest' }))
  expect(await screen.findByText(/counts from the next update of facts on/)).toBeVisible()
  expect(decided).toEqual({ decision: 'newest' })
  expect(await screen.findByText('1 wait for you')).toBeVisible()
})

it('takes one answer by its record, and says what was refused', async () => {
  let decided: unknown
  server.use(
    answers('/conflicts', { items: [contradiction()], next_cursor: null }),
    http.post(at('/conflicts/cfl_1:resolve'), async ({ request }) => {
      decided = await request.json()
      return problem(409, 'Conflict', 'That was decided before: newest.')
    }),
  )
  const { user } = open('/data')
  await user.click(await screen.findByRole('button', { name: 'This one: 12 euros' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('That was decided before')
  expect(decided).toEqual({ decision: 'rec_12 euros' })
})

it('tells where nothing contradicts, and where that is not known', async () => {
  const first = open('/data')
  expect(await screen.findByText('No answers contradict each other.')).toBeVisible()
  first.unmount()
  server.use(fails('/conflicts'))
  open('/data')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
})

it('shows the versions of an answer, newest first', async () => {
  let asked: string | null = null
  server.use(
    answers('/conflicts', { items: [contradiction()], next_cursor: null }),
    http.get(at('/records/history'), ({ request }) => {
      asked = new URL(request.url).searchParams.get('of')
      return HttpResponse.json({ items: [version('12 euros', { state: 'superseded' }), version('15 euros')] })
    }),
  )
  const { user } = open('/data')
  await user.click(await screen.findByRole('button', { name: 'History' }))
  const versions = await screen.findByRole('table', { name: 'Versions of the answer, newest first' })
  const [, newest, oldest] = within(versions).getAllByRole('row')
  expect(newest).toHaveTextContent(/15 euros.*holds/)
  expect(oldest).toHaveTextContent(/12 euros.*superseded/)
  expect(asked).toBe('What does the lamp cost?')
  expect(screen.getByLabelText('Prompt or key')).toHaveValue('What does the lamp cost?')
  server.use(answers('/records/history', { items: [] }))
  await user.clear(screen.getByLabelText('Prompt or key'))
  await user.type(screen.getByLabelText('Prompt or key'), 'lamp-7{Enter}')
  expect(await screen.findByText('No row has this prompt or key.')).toBeVisible()
})
