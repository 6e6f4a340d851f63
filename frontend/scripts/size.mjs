// Fails if what the first page loads, or any part loaded later, has outgrown its budget. Sizes are gzip, in KiB.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const BUDGET = { js: 250, css: 40 }
const LATER = 220
const built = new URL('../../src/clm/dashboard/', import.meta.url)
const index = readFileSync(new URL('index.html', built), 'utf8')
const size = (name) => gzipSync(readFileSync(new URL(name, built))).length / 1024

function tell(what, kib, budget) {
  process.stdout.write(`${what}: ${kib.toFixed(1)} KiB, at most ${budget}\n`)
  if (kib > budget) process.exitCode = 1
}

const first = []
for (const [kind, budget] of Object.entries(BUDGET)) {
  const names = [...index.matchAll(new RegExp(`(?:src|href)="/(assets/[^"]+\\.${kind})"`, 'g'))].map(
    (m) => m[1],
  )
  if (names.length === 0) throw new Error(`${fileURLToPath(built)}index.html names no .${kind} file`)
  first.push(...names)
  tell(
    `first page, ${kind}`,
    names.map(size).reduce((a, b) => a + b),
    budget,
  )
}
const later = readdirSync(new URL('assets/', built))
  .map((name) => `assets/${name}`)
  .filter((name) => name.endsWith('.js') && !first.includes(name))
const sizes = later.map((name) => [size(name), name]).sort((a, b) => b[0] - a[0])
tell(`largest part loaded later, ${sizes[0][1]}`, sizes[0][0], LATER)
