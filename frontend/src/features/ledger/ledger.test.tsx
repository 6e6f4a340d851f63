import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { ledger } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, fails, server } from '@/testing/server'

it('opens each task into what it knew before an update and what the update brought', async () => {
  open('/ledger')
  await heading('Ledger')
  const rows = within(await screen.findByRole('table', { name: /Scores of intent/ })).getAllByRole('row')
  expect(rows[0]).toHaveTextContent('ReleaseLegacyNewRecallOut of date')
  expect(rows[1]).toHaveTextContent('rejected trial0.41–')
  expect(within(rows[3] as HTMLElement).getByRole('link', { name: 'v2' })).toHaveAttribute(
    'href',
    '/updates/upd_2',
  )
  expect(rows[3]).toHaveTextContent('v2–0.93')
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
