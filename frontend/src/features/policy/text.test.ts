import { expect, it } from 'vitest'
import { changed, read, written } from './text'

const POLICY = {
  training: { rank: 16, trunk_layers: null, strategies: [{ name: 'experts', mix: 1 }], length: 'auto' },
  gate: { margin: 0.05, early_stop: true },
}

it('reads what it writes', () => {
  expect(read(written(POLICY))).toEqual(POLICY)
})

it('takes bare words, remarks and a section alone', () => {
  expect(read('# why\nrollout:\n  kind: blue-green\n\n  # more\n  steps: [10, 50]\nmemory:')).toEqual({
    rollout: { kind: 'blue-green', steps: [10, 50] },
    memory: {},
  })
})

it.each([
  ['gate:\n  margin: 0,05', 'Line 2: the value 0,05'],
  ['gate:\n  margin:', 'Line 2: the value (none)'],
  ['  margin: 1', 'Line 1 is neither'],
  ['gate:\n  margin 1', 'Line 2 is neither'],
])('names the line that can not be read: %s', (text, said) => {
  expect(() => read(text)).toThrow(said)
})

it('sends what was changed and nothing else', () => {
  const settings = read(written(POLICY).replace('16', '8').replace('0.05', '0.03'))
  expect(changed(POLICY, settings)).toEqual({ training: { rank: 8 }, gate: { margin: 0.03 } })
  expect(changed(POLICY, read(written(POLICY)))).toEqual({})
})
