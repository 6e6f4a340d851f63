import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading } from '@/components/States'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import { useActiveModel } from '@/lib/api/models'
import { releasesQuery } from '@/lib/api/releases'
import type { Release } from '@/lib/api/types'
import { release as nameOf } from '@/lib/format'
import { useRowKeys } from '@/lib/useRowKeys'
import css from './Releases.module.css'

function Row({ release }: { release: Release }) {
  const experts = Object.keys(release.experts)
  return (
    <tr>
      <th scope="row">
        <Link
          to="/releases/$id"
          params={{ id: release.release_id }}
          search={true}
          className={table.rowLink}
          data-row
        >
          {nameOf(release.number)}
        </Link>
        {release.alias ? <span className={css.alias}>{release.alias}</span> : null}
      </th>
      <td>{experts.length === 0 ? 'the base alone' : experts.join(', ')}</td>
      <td className={table.fit}>{release.verdict ? <Status look={verdictLook(release.verdict)} /> : '–'}</td>
      <td className={table.fit}>
        <code>{release.release_id.slice(0, 12)}</code>
      </td>
      <td className={table.fit}>
        <Time at={release.created_at} />
      </td>
    </tr>
  )
}

/** Everything that can be served, newest first. */
export function ReleasesPage() {
  const { name, query: models } = useActiveModel()
  const query = useQuery({ ...releasesQuery(name ?? ''), enabled: name !== undefined })
  useRowKeys()
  const content = () => {
    const error = models.error ?? query.error
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (models.isSuccess && name === undefined)
      return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (!query.data) return <Loading heights={[240]} />
    return (
      <Panel title="All releases" note={query.data.items.length} flush>
        <div className={table.scroll}>
          <table className={`${table.table} ${table.hover}`}>
            <caption className="visually-hidden">Releases of {name}, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Release</th>
                <th scope="col">Experts</th>
                <th scope="col">Gate</th>
                <th scope="col">Id</th>
                <th scope="col">Made</th>
              </tr>
            </thead>
            <tbody>
              {query.data.items.map((each) => (
                <Row key={each.release_id} release={each} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    )
  }
  return (
    <>
      <PageHeader
        title="Releases"
        sub="What can be served: base, experts, router and tokenizer as one signed folder, named by its content and never edited."
      />
      {content()}
    </>
  )
}
