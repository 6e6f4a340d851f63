import { useQuery } from '@tanstack/react-query'
import type { Column } from '@/components/columns'
import { DataTable } from '@/components/DataTable'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { Status } from '@/components/Status'
import { verdictLook } from '@/components/status'
import { Time } from '@/components/Time'
import { useActiveModel } from '@/lib/api/models'
import { releasesQuery } from '@/lib/api/releases'
import type { Release } from '@/lib/api/types'
import { MISSING, release as nameOf } from '@/lib/format'
import { Facts } from './Facts'
import css from './Releases.module.css'

const parts = (release: Release) => Object.keys(release.experts).join(', ') || 'the base alone'

const COLUMNS: Column<Release>[] = [
  {
    id: 'release',
    header: 'Release',
    value: (release) => release.number,
    cell: (release) => nameOf(release.number),
    names: true,
  },
  {
    id: 'alias',
    header: 'Alias',
    value: (release) => release.alias,
    cell: (release) => (release.alias ? <span className={css.alias}>{release.alias}</span> : MISSING),
    look: 'fit',
  },
  { id: 'experts', header: 'Experts', value: parts, cell: parts },
  {
    id: 'gate',
    header: 'Gate',
    value: (release) => release.verdict,
    cell: (release) => (release.verdict ? <Status look={verdictLook(release.verdict)} /> : MISSING),
    look: 'fit',
  },
  {
    id: 'id',
    header: 'Id',
    value: (release) => release.release_id,
    cell: (release) => <code>{release.release_id.slice(0, 12)}</code>,
    look: 'fit',
  },
  {
    id: 'made',
    header: 'Made',
    value: (release) => release.created_at,
    cell: (release) => <Time at={release.created_at} />,
    look: 'fit',
  },
]

/** Everything that can be served, newest first. */
export function ReleasesPage() {
  const { name, query: models } = useActiveModel()
  const query = useQuery({ ...releasesQuery(name ?? ''), enabled: name !== undefined })
  const content = () => {
    const error = models.error ?? query.error
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (models.isSuccess && name === undefined)
      return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (!query.data) return <Loading heights={[240]} />
    return (
      <DataTable
        title="All releases"
        caption={`Releases of ${name}, newest first`}
        columns={COLUMNS}
        rows={query.data.items}
        id={(release) => release.release_id}
        scope={name ?? ''}
        to={(release) => `/releases/${release.release_id}`}
        peek={{
          title: (release) => `Release ${nameOf(release.number)}`,
          content: (release) => <Facts release={release} />,
        }}
      />
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
