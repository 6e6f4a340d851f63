import { screen, waitFor, within } from '@testing-library/react'
import { expect, it, vi } from 'vitest'
import { draw } from '@/components/draw'
import { ledger } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, fails, server } from '@/testing/server'

it('shows every task under every release, with what was lost most', async () => {
  open('/ledger')
  await heading('Ledger')
  const map = within(await screen.findByRole('region', { name: /every task under every release/ }))
  expect(map.getByRole('row', { name: /^intent/ })).toHaveTextContent('0.41 !')
  expect(map.getByRole('row', { name: /^details/ })).toHaveTextContent('not evaluated')
  expect(map.getByText('Worst drop').nextSibling).toHaveTextContent('−0.01 intent, v3')
  await expectAccessible()
})

it('draws the history of a task that is picked, and tells it in a sentence', async () => {
  const { user, router } = open('/ledger')
  await user.click(await screen.findByRole('link', { name: 'details' }))
  expect(router.state.location.search).toEqual({ task: 'details' })
  const history = within(await screen.findByRole('region', { name: 'details' }))
  const sentence = 'v3 scores 0.88 on 80 examples; the best was 0.88, by v3.'
  expect(history.getByText(sentence)).toBeVisible()
  expect(history.getByRole('img', { name: sentence })).toBeVisible()
  await waitFor(() => expect(draw).toHaveBeenCalled())
  const [, names, lines] = vi.mocked(draw).mock.lastCall ?? []
  expect(names).toEqual(['v1', 'v3', 'rejected trial'])
  expect(lines?.[0]).toEqual({ name: 'Score', values: [0.02, 0.88, 0.88] })
})

it('shows the same history as a table, in the address', async () => {
  const { user, router } = open('/ledger?task=intent')
  await user.click(await screen.findByRole('switch', { name: 'As a table' }))
  const rows = within(await screen.findByRole('table', { name: /Scores of intent/ })).getAllByRole('row')
  expect(router.state.location.search).toMatchObject({ as: 'table' })
  expect(rows[0]).toHaveTextContent('ReleaseScoreLegacyNewRecallOut of date')
  expect(rows[1]).toHaveTextContent('rejected trial0.410.41–')
  expect(within(rows[3] as HTMLElement).getByRole('link', { name: 'v2' })).toHaveAttribute(
    'href',
    '/updates/upd_2',
  )
  expect(rows[3]).toHaveTextContent('v20.93–0.93')
  await expectAccessible()
})

it('says where nothing is scored yet', async () => {
  server.use(answers('/ledger', { ...ledger(), tasks: [] }))
  open('/ledger')
  expect(await screen.findByText('Nothing is scored yet')).toBeVisible()
  await expectAccessible()
})

it('tells a failure with its request id', async () => {
  server.use(fails('/ledger'))
  open('/ledger')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
})
