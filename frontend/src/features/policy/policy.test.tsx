import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, it } from 'vitest'
import { policy } from '@/testing/fixtures'
import { expectAccessible, heading, open } from '@/testing/render'
import { answers, at, fails, problem, server } from '@/testing/server'

const PATH = '/models/support-assistant/policy'
type Asked = { dry: string | null; match: string | null; body: unknown }

/** Takes edits of revision 3, and tells what was asked. */
function edits(): Asked[] {
  const asked: Asked[] = []
  server.use(
    http.patch(at(PATH), async ({ request }) => {
      const dry = new URL(request.url).searchParams.get('dry_run')
      const match = request.headers.get('if-match')
      asked.push({ dry, match, body: await request.json() })
      if (match !== '"3"' && match !== '"4"') return problem(409, 'Conflict', 'Wrong revision.')
      const changed = [{ setting: 'gate.margin', before: 0.05, after: 0.03 }]
      return HttpResponse.json(policy({ revision: dry === 'true' ? 3 : 4, changed }))
    }),
  )
  return asked
}

async function type(user: ReturnType<typeof open>['user'], from: string, to: string) {
  const text = (await screen.findByRole('textbox')) as HTMLTextAreaElement
  const at = text.value.indexOf(from)
  await user.type(text, to, { initialSelectionStart: at, initialSelectionEnd: at + from.length })
}

it('shows what is not the default first, then all settings and who changed them', async () => {
  open('/policy')
  await heading('Policy')
  const different = within(await screen.findByRole('table', { name: /not the default/ }))
  expect(different.getByRole('row', { name: /training.rank/ })).toHaveTextContent('training.rank168')
  expect(screen.getByRole('textbox')).toHaveValue(
    'training:\n  rank: 8\n\ngate:\n  margin: 0.05\n  early_stop: true',
  )
  const list = within(await screen.findByRole('table', { name: /Revisions/ })).getAllByRole('row')
  expect(list[1]).toHaveTextContent(/^3.*cli:adaless memory$/)
  expect(list[2]).toHaveTextContent('the making of the model')
  await expectAccessible()
})

it('says what would change before it is saved, and sends only that', async () => {
  const asked = edits()
  const { user } = open('/policy')
  await type(user, '0.05', '0.03')
  await user.click(screen.getByRole('button', { name: 'Show what would change' }))
  const changes = await screen.findByRole('table', { name: 'What would change' })
  expect(changes).toHaveTextContent('gate.margin0.050.03')
  await expectAccessible()
  await user.click(screen.getByRole('button', { name: 'Save this change' }))
  expect(await screen.findByText(/Saved as revision 4/)).toBeVisible()
  const body = { gate: { margin: 0.03 } }
  expect(asked).toEqual([
    { dry: 'true', match: '"3"', body },
    { dry: 'false', match: '"3"', body },
  ])
})

it('says what to do where somebody else was quicker, and keeps the text', async () => {
  const { user } = open('/policy')
  server.use(http.patch(at(PATH), () => problem(409, 'Conflict', 'The policy was changed meanwhile.')))
  await type(user, '0.05', '0.03')
  await user.click(screen.getByRole('button', { name: 'Show what would change' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('The policy was changed meanwhile.')
  expect(screen.getByText(/Your text stays/)).toBeVisible()
  const asked = edits()
  server.use(answers(PATH, policy({ revision: 4 })))
  await user.click(screen.getByRole('button', { name: 'Read the policy anew' }))
  await waitFor(() => expect(screen.queryByRole('alert')).toBeNull())
  expect((screen.getByRole('textbox') as HTMLTextAreaElement).value).toContain('margin: 0.03')
  await user.click(screen.getByRole('button', { name: 'Show what would change' }))
  expect(await screen.findByRole('table', { name: 'What would change' })).toBeVisible()
  expect(asked[0]?.match).toBe('"4"')
})

it('sends nothing that it can not read, and can go back', async () => {
  const { user } = open('/policy')
  await type(user, '0.05', '0,03')
  await user.click(screen.getByRole('button', { name: 'Show what would change' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('Line 5: the value 0,03')
  await user.click(screen.getByRole('button', { name: 'Back to what is saved' }))
  expect((screen.getByRole('textbox') as HTMLTextAreaElement).value).toContain('margin: 0.05')
  expect(screen.queryByRole('alert')).toBeNull()
})

it('shows the policy as it was', async () => {
  server.use(
    http.get(at(PATH), ({ request }) =>
      HttpResponse.json(
        policy({ revision: Number(new URL(request.url).searchParams.get('revision')), changed: [] }),
      ),
    ),
  )
  open('/policy?revision=2')
  expect(await screen.findByRole('region', { name: 'All settings at revision 2' })).toBeVisible()
  expect(screen.getByText('Every setting is the default.')).toBeVisible()
  expect(screen.queryByRole('textbox')).toBeNull()
  expect(screen.getByRole('link', { name: 'As it is now' })).toHaveAttribute('href', '/policy')
  await expectAccessible()
})

it('tells a failure with its request id, and where there is no model', async () => {
  server.use(fails(PATH))
  const { unmount } = open('/policy')
  expect(await screen.findByRole('alert')).toHaveTextContent('req_42')
  unmount()
  server.use(answers('/models', { items: [] }))
  open('/policy')
  expect(await screen.findByText('No model yet')).toBeVisible()
})
