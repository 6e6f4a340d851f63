import { describe, expect, it } from 'vitest'
import { analysis, deployment, rollout } from '@/testing/fixtures'
import { nodes, present } from './steps'
import { words } from './words'

const metas = (more: Parameters<typeof rollout>[0] = {}) =>
  nodes(rollout(more), deployment()).map((node) => `${node.name}: ${node.meta}`)

describe('steps', () => {
  it('tells past steps by what they passed on, the present one live, and adds the full traffic', () => {
    expect(metas()).toEqual(['10 %: Passed, n 22', '50 %: Hold, n 11', '100 %: Ahead'])
  })
  it('says that it is paused', () => expect(metas({ state: 'paused' })[1]).toBe('50 %: Paused, n 11'))
  it('says where it was rolled back', () =>
    expect(metas({ state: 'rolled-back', step: 0 })[0]).toBe('10 %: Rolled back, n 11'))
  it('has passed everywhere when it is promoted', () =>
    expect(nodes(rollout({ state: 'promoted' }), deployment()).every((n) => n.look.tone === 'ok')).toBe(true))
  it('has one step for blue-green', () =>
    expect(metas({ kind: 'blue-green', steps: [], step: 0, verdicts: [], state: 'waiting' })).toEqual([
      '100 %: Loading, n 11',
    ]))
  it('never shows a step without a verdict as passed', () => {
    const [first] = nodes(rollout({ step: 0, verdicts: [] }), deployment())
    expect(first?.look.tone).toBe('run')
  })
})

describe('the sentence', () => {
  it('counts requests live while there are too few', () =>
    expect(present(rollout(), deployment())).toBe('11 of at least 20 requests seen on this step.'))
  it('is the verdict’s own reason otherwise', () =>
    expect(present(rollout({ verdicts: [analysis(1, 'rollback', 30)] }), deployment())).toBe(
      '30 requests, 0 errors',
    ))
  it('says that it waits for the engine', () =>
    expect(present(rollout({ state: 'waiting' }), deployment())).toContain('engine'))
})

describe('the words of an action', () => {
  const nameOf = (id: string | null) => (id ? `v${id[0]}` : '–')
  it('say that a rollback takes the candidate off, where there is one', () => {
    const said = words('rollback', deployment(), nameOf)
    expect(said.confirm).toBe('Roll back to v3')
    expect(said.effect).toContain('v4 goes from 50 % to 0 %')
  })
  it('say that a rollback goes to the release before, where there is none', () => {
    const said = words('rollback', deployment({ candidate: null }), nameOf)
    expect(said.confirm).toBe('Roll back to v2')
    expect(said.effect).toContain('from v3 to v2')
  })
  it.each(['promote', 'pause', 'resume', 'abort'] as const)('name the candidate for %s', (action) =>
    expect(words(action, deployment(), nameOf).title).toContain('v4'),
  )
})
