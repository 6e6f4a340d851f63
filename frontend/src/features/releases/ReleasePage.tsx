import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import { Verify } from '@/components/Verify'
import type { ReleaseDetail } from '@/lib/api/types'
import { count, release as nameOf, score, word } from '@/lib/format'
import { releaseQuery, verifyRelease } from './api'
import { Facts } from './Facts'
import css from './Releases.module.css'

type Scored = { score: number; n: number; metric?: string }
type Lineage = {
  scores?: Record<string, Scored>
  gate?: { reason?: string }
  task?: string | null
  kind?: string
}

const lineageOf = (release: ReleaseDetail): Lineage =>
  (release.manifest as { lineage?: Lineage }).lineage ?? {}

/** Each task's expert and what the gate measured of it. */
function Experts({ release }: { release: ReleaseDetail }) {
  const scores = lineageOf(release).scores ?? {}
  const tasks = [...new Set([...Object.keys(release.experts), ...Object.keys(scores)])].sort()
  if (tasks.length === 0)
    return (
      <Panel title="Experts">
        <Nothing>None: the untouched base answers everything.</Nothing>
      </Panel>
    )
  return (
    <Panel title="Experts and scores" flush>
      <div className={table.scroll}>
        <table className={table.table}>
          <caption className="visually-hidden">
            What each task's expert is, and its score when it was released
          </caption>
          <thead>
            <tr>
              <th scope="col">Task or part</th>
              <th scope="col">Expert</th>
              <th scope="col">Metric</th>
              <th scope="col" className={table.right}>
                Score
              </th>
              <th scope="col" className={table.right}>
                n
              </th>
            </tr>
          </thead>
          <tbody>
            {tasks.map((task) => (
              <tr key={task}>
                <th scope="row">{task}</th>
                <td>
                  {release.experts[task] ? <code>{release.experts[task]?.slice(0, 12)}</code> : 'the base'}
                </td>
                <td>{scores[task]?.metric ? word(scores[task].metric) : '–'}</td>
                <td className={table.right}>{score(scores[task]?.score)}</td>
                <td className={table.right}>{scores[task] ? count(scores[task].n) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

export function ReleasePage() {
  const { id } = useParams({ from: '/releases/$id' })
  const query = useQuery(releaseQuery(id))
  if (query.isPending) return <Loading heights={[60, 200, 160]} />
  if (query.isError && !query.data)
    return (
      <>
        <PageHeader title="Release" />
        <Failed error={query.error} onRetry={() => query.refetch()} />
      </>
    )
  const release = query.data
  const gate = lineageOf(release).gate
  return (
    <>
      <PageHeader
        title={`Release ${nameOf(release.number)}`}
        crumb={
          <Link to="/releases" search={true}>
            Releases
          </Link>
        }
        badge={
          <>
            {release.alias ? <span className={css.alias}>{release.alias}</span> : null}
            {release.verdict ? <Status look={verdictLook(release.verdict)} /> : null}
          </>
        }
        sub={gate?.reason}
      />
      <div className={css.stack}>
        <Panel title="Release">
          <Facts release={release} />
        </Panel>
        <Experts release={release} />
        <Verify
          title="Files and signature"
          check={() => verifyRelease(release.release_id)}
          holds="Verifies"
          broken="Does not verify"
        >
          Every file is compared with its digest, and the signature is checked.
        </Verify>
      </div>
    </>
  )
}
