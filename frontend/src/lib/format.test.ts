import { describe, expect, it } from 'vitest'
import { ago, between, duration, percent, release, roughly, score, signed, word } from './format'

describe('numbers', () => {
  it.each([
    [0.925, '0.93'],
    [1, '1.00'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('shows the score %s as %s', (value, shown) => expect(score(value)).toBe(shown))

  it.each([
    [0.1234, '+0.12'],
    [-0.5, '−0.50'],
    [-0.001, '±0.00'],
    [undefined, '–'],
  ])('shows the difference %s as %s', (value, shown) => expect(signed(value)).toBe(shown))

  it.each([
    [50, '50 %'],
    [2.54, '2.5 %'],
    [0, '0 %'],
  ])('shows the share %s as %s', (value, shown) => expect(percent(value)).toBe(shown))
})

describe('times', () => {
  it.each([
    [4.24, '4.2 s'],
    [59.4, '59 s'],
    [84, '1 min 24 s'],
    [300, '5 min'],
    [7500, '2 h 5 min'],
    [273_600, '3 d 4 h'],
    [-3, '0.0 s'],
  ])('tells %s seconds as %s', (seconds, shown) => expect(duration(seconds)).toBe(shown))

  it.each([
    [3, 'a few seconds'],
    [33, '35 s'],
    [61, '1 min'],
    [5400, '1.5 h'],
  ])('forecasts %s seconds as %s', (seconds, shown) => expect(roughly(seconds)).toBe(shown))

  const now = Date.parse('2026-03-02T12:00:00Z')
  it.each([
    ['2026-03-02T11:59:58Z', 'just now'],
    ['2026-03-02T11:59:20Z', '40 s ago'],
    ['2026-03-02T11:55:00Z', '5 min ago'],
    ['2026-03-02T09:00:00Z', '3 h ago'],
    ['2026-02-28T12:00:00Z', '2 d ago'],
    ['2026-03-02T12:00:09Z', 'just now'],
  ])('tells %s as %s', (at, shown) => expect(ago(at, now)).toBe(shown))

  it('measures to the present what has not ended', () => {
    expect(between('2026-03-02T11:59:50Z', null, now)).toBe(10)
    expect(between('2026-03-02T11:59:50Z', '2026-03-02T11:59:55Z', now)).toBe(5)
    expect(between(null, null, now)).toBeNull()
  })
})

it('names a release by number, else by the start of its id', () => {
  expect(release(3, 'abcdef0123456789')).toBe('v3')
  expect(release(null, 'abcdef0123456789')).toBe('abcdef01')
  expect(release(null)).toBe('–')
})

it('reads field names as words', () => expect(word('exact_match-rate')).toBe('exact match rate'))
