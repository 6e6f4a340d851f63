import type { LedgerTask } from '@/lib/api/types'
import { count, release, score } from '@/lib/format'

/** What one release, or a trial that was rejected, scored on a task. */
export type Point = {
  key: string
  name: string
  updateId: string | null
  score: number
  n: number
  legacy: number | null
  new: number | null
  recall: number | null
  stale: number | null
}

type Scored = { release_id: string | null; update_id: string | null }
const keyOf = (scored: Scored) => scored.release_id ?? scored.update_id ?? ''

/** A task's scores in the order of time; the newest score of a release counts. */
export function points(task: LedgerTask): Point[] {
  const tracks = new Map(task.tracks.map((track) => [keyOf(track), track]))
  const cells = new Map(task.cells.map((cell) => [keyOf(cell), cell]))
  return [...cells].map(([key, cell]) => {
    const track = tracks.get(key)
    return {
      key,
      name: cell.number === null ? 'rejected trial' : release(cell.number),
      updateId: track?.update_id ?? cell.update_id,
      score: cell.score,
      n: cell.n,
      legacy: track?.legacy ?? null,
      new: track?.new ?? null,
      recall: track?.recall ?? null,
      stale: track?.stale ?? null,
    }
  })
}

/** The history in two sentences. */
export function told(history: Point[]): string {
  const released = history.filter((point) => point.name !== 'rejected trial')
  const best = released.toSorted((a, b) => b.score - a.score)[0]
  const last = released.at(-1)
  const slices = history.some((point) => point.legacy !== null || point.new !== null || point.recall !== null)
  if (!best || !last) return 'No release was scored on it yet.'
  return [
    `${last.name} scores ${score(last.score)} on ${count(last.n)} examples; the best was ${score(best.score)}, by ${best.name}.`,
    ...(slices ? [] : ['There is no score by slices yet: they begin with the next update.']),
  ].join(' ')
}
