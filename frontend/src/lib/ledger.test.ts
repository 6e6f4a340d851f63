import { expect, it } from 'vitest'
import { cell, ledger } from '@/testing/fixtures'
import { heat, matrix, worstDrop } from './ledger'

const MARGINS = { intent: 0.05, details: 0.05 }
const table = matrix(ledger(), MARGINS)
const intent = table.rows[0]

it('puts releases in the order of time, rejected candidates among them', () => {
  expect(table.columns.map((column) => column.number)).toEqual([1, 2, 3, null])
  const late = ledger()
  late.tasks[0]?.cells.push(cell(4, 0.94, { update_id: 'upd_99' }))
  expect(matrix(late, MARGINS).columns.map((column) => column.number)).toEqual([1, 2, 3, null, 4])
})

it('knows a release by the update that made it, however often it was scored again', () => {
  const again = ledger()
  again.tasks[0]?.cells.unshift(cell(3, 0.92, { update_id: null }))
  expect(matrix(again, MARGINS).columns).toEqual(table.columns)
})

it('takes the newest of several scores of one release', () => {
  const again = ledger()
  again.tasks[0]?.cells.push(cell(3, 0.5, { update_id: null }))
  expect(matrix(again, MARGINS).rows[0]?.entries[2]?.cell.score).toBe(0.5)
})

it('measures change against the best release before', () => {
  const deltas = intent?.entries.map((entry) => entry?.delta?.toFixed(2) ?? null)
  expect(deltas).toEqual([null, '0.82', '-0.01', '-0.52'])
})

it('does not take a rejected score for a best one', () => {
  const lucky = ledger()
  lucky.tasks[0]?.cells.push(
    cell(null, 0.99, { update_id: 'upd_91' }),
    cell(4, 0.93, { update_id: 'upd_92' }),
  )
  expect(matrix(lucky, MARGINS).rows[0]?.entries.at(-1)?.delta).toBeCloseTo(0)
})

it('marks a loss beyond the margin, and no other', () => {
  expect(intent?.entries.map((entry) => entry?.breach)).toEqual([false, false, false, true])
  expect(matrix(ledger(), { intent: 0.6 }).rows[0]?.entries[3]?.breach).toBe(false)
  expect(matrix(ledger(), {}).rows[0]?.entries[3]?.breach).toBe(false)
})

it('leaves empty what was not evaluated, and averages over the others', () => {
  expect(table.rows[1]?.entries[1]).toBeNull()
  expect(table.averages.map((average) => average?.toFixed(3))).toEqual(['0.065', '0.930', '0.900', '0.645'])
})

it('weighs the average where tasks have weights', () => {
  const weighed = matrix(ledger(), MARGINS, { intent: 3 })
  expect(weighed.averages.map((average) => average?.toFixed(4))).toEqual([
    '0.0875',
    '0.9300',
    '0.9100',
    '0.5275',
  ])
})

it('shows the last thirty columns and counts the rest, but still knows the best before them', () => {
  const long = ledger()
  const cells = Array.from({ length: 40 }, (_, at) =>
    cell(at + 1, at === 0 ? 0.99 : 0.5, {
      release_id: `r${at}`,
      update_id: `upd_${String(at).padStart(3, '0')}`,
    }),
  )
  long.tasks = [
    { ...long.tasks[0], task: 'intent', metric: 'exact_match', cells } as (typeof long.tasks)[number],
  ]
  const shown = matrix(long, MARGINS)
  expect(shown.columns).toHaveLength(30)
  expect(shown.hidden).toBe(10)
  expect(shown.rows[0]?.entries[0]?.delta).toBeCloseTo(-0.49)
})

it('colours by the size of the change, up to a limit', () => {
  expect([heat(null), heat(0), heat(-0.1), heat(0.9)]).toEqual([0, 0, 0.5, 1])
})

it('names the largest loss that a release brought, and none where nothing was lost', () => {
  expect(worstDrop(table)).toMatchObject({ task: 'intent', number: 3 })
  expect(worstDrop(table)?.delta).toBeCloseTo(-0.01)
  const good = ledger()
  for (const task of good.tasks) task.cells = [cell(1, 0.1), cell(2, 0.9)]
  expect(worstDrop(matrix(good, MARGINS))).toBeNull()
})
