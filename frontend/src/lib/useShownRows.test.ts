import { act, renderHook } from '@testing-library/react'
import { expect, it } from 'vitest'
import { useShownRows } from './useShownRows'

const rows = (...ids: string[]) => ids.map((id) => ({ id }))
const idOf = (row: { id: string }) => row.id
const shown = (initial: { id: string }[]) =>
  renderHook(({ list, scope }) => useShownRows(list, idOf, scope), {
    initialProps: { list: initial, scope: 'all' },
  })

it('holds back what came since the list was opened', () => {
  const { result, rerender } = shown(rows('b', 'a'))
  rerender({ list: rows('d', 'c', 'b', 'a'), scope: 'all' })
  expect(result.current.visible).toEqual(rows('b', 'a'))
  expect(result.current.fresh).toBe(2)
  act(() => void result.current.showAll())
  expect(result.current.visible).toEqual(rows('d', 'c', 'b', 'a'))
  expect(result.current.fresh).toBe(0)
})

it('shows older rows at once, since they come at the end', () => {
  const { result, rerender } = shown(rows('c', 'b'))
  rerender({ list: rows('d', 'c', 'b', 'a'), scope: 'all' })
  expect(result.current.visible).toEqual(rows('c', 'b', 'a'))
})

it('shows the first rows of an empty list at once', () => {
  const { result, rerender } = shown([])
  rerender({ list: rows('a'), scope: 'all' })
  expect(result.current.visible).toEqual(rows('a'))
  expect(result.current.fresh).toBe(0)
})

it('drops rows that are gone', () => {
  const { result, rerender } = shown(rows('b', 'a'))
  rerender({ list: rows('a'), scope: 'all' })
  expect(result.current.visible).toEqual(rows('a'))
})

it('begins anew with another filter', () => {
  const { result, rerender } = shown(rows('a'))
  rerender({ list: rows('z', 'y'), scope: 'failed' })
  expect(result.current.visible).toEqual(rows('z', 'y'))
  expect(result.current.fresh).toBe(0)
})
