import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('has no file that is too long to read at once', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(tsx?|css)$/.test(file),
  )
  const long = files.filter((file) => readFileSync(`src/${file}`, 'utf8').split('\n').length > 301)
  expect(files.length).toBeGreaterThan(100)
  expect(long).toEqual([])
})
