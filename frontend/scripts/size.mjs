// Fails if what the first page loads has outgrown its budget. Sizes are gzip, in KiB.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const BUDGET = { js: 250, css: 40 }
const built = new URL('../../src/clm/dashboard/', import.meta.url)
const index = readFileSync(new URL('index.html', built), 'utf8')

for (const [kind, budget] of Object.entries(BUDGET)) {
  const names = [...index.matchAll(new RegExp(`(?:src|href)="/(assets/[^"]+\\.${kind})"`, 'g'))].map(
    (m) => m[1],
  )
  if (names.length === 0) throw new Error(`${fileURLToPath(built)}index.html names no .${kind} file`)
  const bytes = names.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, built))).length, 0)
  const size = bytes / 1024
  process.stdout.write(`first page: ${size.toFixed(1)} KiB of ${kind}, at most ${budget}\n`)
  if (size > budget) process.exitCode = 1
}
