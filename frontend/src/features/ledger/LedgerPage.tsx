import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { LedgerPanel } from '@/components/LedgerPanel'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { useActiveModel } from '@/lib/api/models'
import { releasesQuery } from '@/lib/api/releases'
import { ledgerQuery } from './api'
import css from './Ledger.module.css'
import { TaskHistory } from './TaskHistory'

export function LedgerPage() {
  const { task } = useSearch({ from: '/ledger' })
  const { name, model, query: models } = useActiveModel()
  const query = useQuery({ ...ledgerQuery(name ?? ''), enabled: name !== undefined })
  const releases = useQuery({ ...releasesQuery(name ?? ''), enabled: name !== undefined })
  const numberOf = (alias: string) =>
    releases.data?.items.find((release) => release.alias === alias)?.number ?? null
  const aliases = { champion: numberOf('champion'), candidate: numberOf('candidate') }
  const content = () => {
    const error = models.error ?? query.error
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (models.isSuccess && name === undefined)
      return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (!query.data) return <Loading heights={[200, 200]} />
    if (query.data.tasks.length === 0)
      return (
        <Empty title="Nothing is scored yet">
          The first update of a task writes the first line here: what it knew, and what it learned.
        </Empty>
      )
    const picked = query.data.tasks.find((each) => each.task === task) ?? query.data.tasks[0]
    return (
      <div className={css.stack}>
        <LedgerPanel ledger={query.data} aliases={aliases} model={model} />
        {picked ? <TaskHistory task={picked} /> : null}
      </div>
    )
  }
  return (
    <>
      <PageHeader title="Ledger" sub="What every release scored on every task. A task opens its history." />
      {content()}
    </>
  )
}
