import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { update } from '@/testing/fixtures'
import { expectAccessible, open } from '@/testing/render'
import { at, server } from '@/testing/server'

const THREE = [
  update({ id: 'upd_3', task: 'intent', release_id: 'r', release_number: 10 }),
  update({ id: 'upd_2', task: 'facts' }),
  update({ id: 'upd_1', task: 'details', release_id: 'r', release_number: 9 }),
]

async function table(search = '') {
  server.use(
    http.get(at('/updates'), ({ request }) => {
      const older = new URL(request.url).searchParams.get('cursor') === 'more'
      return HttpResponse.json(
        older
          ? { items: [update({ id: 'upd_0', task: 'older' })], next_cursor: null }
          : { items: THREE, next_cursor: 'more' },
      )
    }),
  )
  const opened = open(`/updates${search}`)
  await screen.findByRole('table')
  const tasks = () => screen.getAllByRole('rowheader').map((cell) => cell.textContent)
  return { ...opened, tasks }
}

it('sorts by a column both ways, in the address, and then no more; what has no value stands last', async () => {
  const { user, router, tasks } = await table()
  expect(tasks()).toEqual(['intent', 'facts', 'details'])
  const head = screen.getByRole('columnheader', { name: 'Release' })
  const button = within(head).getByRole('button')
  expect(head).toHaveAttribute('aria-sort', 'none')
  await user.click(button)
  await waitFor(() => expect(head).toHaveAttribute('aria-sort', 'ascending'))
  expect(tasks()).toEqual(['details', 'intent', 'facts'])
  expect(router.state.location.search).toMatchObject({ sort: 'release' })
  await user.click(button)
  await waitFor(() => expect(head).toHaveAttribute('aria-sort', 'descending'))
  expect(tasks()).toEqual(['intent', 'details', 'facts'])
  await user.click(button)
  await waitFor(() => expect(head).toHaveAttribute('aria-sort', 'none'))
  expect(tasks()).toEqual(['intent', 'facts', 'details'])
})

it('filters the rows, and says when none is left', async () => {
  const { user, router, tasks } = await table()
  await user.keyboard('/')
  expect(screen.getByLabelText('Filter these rows')).toHaveFocus()
  await user.keyboard('det')
  await waitFor(() => expect(tasks()).toEqual(['details']))
  expect(router.state.location.search).toMatchObject({ q: 'det' })
  await user.keyboard('zzz')
  expect(await screen.findByText(/No row shown here holds/)).toBeVisible()
  await user.click(screen.getByRole('button', { name: 'Clear the filter' }))
  await waitFor(() => expect(tasks()).toHaveLength(3))
})

it('shows the columns that are wanted', async () => {
  const { user, router } = await table('?hide=stages')
  expect(screen.queryByRole('columnheader', { name: 'Stages' })).toBeNull()
  await user.click(screen.getByText('Columns'))
  await expectAccessible()
  await user.click(screen.getByRole('checkbox', { name: 'Stages' }))
  await user.click(screen.getByRole('checkbox', { name: 'Took' }))
  expect(await screen.findByRole('columnheader', { name: 'Stages' })).toBeVisible()
  expect(screen.queryByRole('columnheader', { name: 'Took' })).toBeNull()
  expect(router.state.location.search).toMatchObject({ hide: 'took' })
  expect(screen.getByRole('checkbox', { name: 'Task' })).toBeDisabled()
})

it('reads older rows when they are asked for', async () => {
  const { user, tasks } = await table()
  await user.click(screen.getByRole('button', { name: 'Show older' }))
  await waitFor(() => expect(tasks()).toEqual(['intent', 'facts', 'details', 'older']))
  expect(screen.queryByRole('button', { name: 'Show older' })).toBeNull()
})

it('peeks at a row beside the table, follows j and k, and closes with Escape', async () => {
  const { user, router } = await table('?sort=task')
  await user.click(screen.getByRole('button', { name: 'Peek at Update of facts' }))
  expect(await screen.findByRole('region', { name: 'Peek: Update of facts' })).toBeVisible()
  await expectAccessible()
  await user.keyboard('jj')
  expect(await screen.findByRole('region', { name: 'Peek: Update of facts' })).toBeVisible()
  await user.keyboard('j')
  expect(await screen.findByRole('region', { name: 'Peek: Update of intent' })).toBeVisible()
  expect(router.state.location.search).toMatchObject({ peek: 'upd_3', sort: 'task' })
  await user.keyboard('{Escape}')
  await waitFor(() => expect(screen.queryByRole('region', { name: /Peek/ })).toBeNull())
})

it('shows the same to who opens the address', async () => {
  const { tasks } = await table('?sort=-task&peek=upd_2')
  expect(tasks()).toEqual(['intent', 'facts', 'details'])
  expect(screen.getByRole('region', { name: 'Peek: Update of facts' })).toBeVisible()
})

it('says where the row of the panel is not among those shown', async () => {
  await table('?peek=upd_9')
  expect(screen.getByText('It is not among the rows shown here.')).toBeVisible()
})
