import { screen, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { batch, model, report } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

const FILE = new File(['{"prompt": "a", "completion": "b"}\n'], 'rows.jsonl')
const chooseFile = () => document.querySelector('input[type=file]') as HTMLInputElement

it('sends a file for a task and tells what became of its rows', async () => {
  let asked: { search: string; body: string; type: string | null } | undefined
  server.use(
    http.post(at('/records'), async ({ request }) => {
      const { searchParams } = new URL(request.url)
      asked = {
        search: searchParams.toString(),
        body: await request.text(),
        type: request.headers.get('content-type'),
      }
      return HttpResponse.json(report({ accepted: 1, refused: 1, received: 2, advice: 'Take rouge_l.' }))
    }),
  )
  const { user } = open('/data')
  await heading('Data')
  expect(await screen.findByRole('button', { name: 'Send rows' })).toBeDisabled()
  await user.selectOptions(screen.getByLabelText('Task'), 'facts')
  await user.upload(chooseFile(), FILE)
  await user.click(screen.getByRole('button', { name: 'Send rows' }))
  expect(await screen.findByText(/2 rows received/)).toBeVisible()
  expect(screen.getByText('is missing or empty')).toBeVisible()
  expect(screen.getByText('Take rouge_l.')).toBeVisible()
  expect(screen.getByRole('link', { name: 'start an update' })).toBeVisible()
  expect(asked?.search).toBe('model=support-assistant&task=facts&suite=false&source=dashboard')
  expect(asked?.body).toContain('"prompt": "a"')
  expect(asked?.type).toBe('application/jsonl')
  await expectAccessible()
})

it('says why a file was not taken', async () => {
  server.use(http.post(at('/records'), () => problem(422, 'Invalid input', 'The file is empty.')))
  const { user } = open('/data')
  await screen.findByRole('button', { name: 'Send rows' })
  await user.upload(chooseFile(), FILE)
  await user.click(screen.getByRole('button', { name: 'Send rows' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('The file is empty.')
})

it('lists deliveries and shows the refused rows of one beside them', async () => {
  server.use(answers('/batches', { items: [batch(), batch({ id: 'bat_2', refused: 0 })], next_cursor: null }))
  const { user } = open('/data')
  const deliveries = await screen.findByRole('table', { name: 'Deliveries of rows, newest first' })
  expect(within(deliveries).getAllByRole('row')).toHaveLength(3)
  await user.click(within(deliveries).getAllByRole('button', { name: /^facts/ })[0] as HTMLElement)
  expect(await screen.findByText('is missing or empty')).toBeVisible()
  await expectAccessible()
})

it('tells where no row has come yet, and where no task is', async () => {
  server.use(answers('/batches', { items: [], next_cursor: null }))
  const first = open('/data')
  expect(await screen.findByText(/No rows have come/)).toBeVisible()
  first.unmount()
  server.use(answers('/models', { items: [model({ name: 'bare', tasks: [] })] }))
  open('/data')
  expect(await screen.findByText('No task yet')).toBeVisible()
  await expectAccessible()
})

it('tells a failure with its request id', async () => {
  server.use(fails('/batches'))
  open('/data')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
})
