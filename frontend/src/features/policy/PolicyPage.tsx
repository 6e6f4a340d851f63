import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading, Nothing } from '@/components/States'
import { useActiveModel } from '@/lib/api/models'
import type { Policy } from '@/lib/api/types'
import { policyQuery } from './api'
import { Changes } from './Changes'
import { EditPolicy } from './EditPolicy'
import css from './Policy.module.css'
import { Revisions } from './Revisions'
import { written } from './text'

function Different({ policy }: { policy: Policy }) {
  const some = policy.changed.length > 0
  return (
    <Panel title="Not the default" note={some ? policy.changed.length : null} flush={some}>
      {some ? (
        <Changes
          caption="Settings that are not the default"
          before="Default"
          after="Here"
          changes={policy.changed}
        />
      ) : (
        <Nothing>Every setting is the default.</Nothing>
      )}
    </Panel>
  )
}

/** As it was: to look at, not to change. */
function Past({ policy }: { policy: Policy }) {
  return (
    <Panel
      title={`All settings at revision ${policy.revision}`}
      note={
        <Link to="/policy" search={(old) => ({ model: old.model })}>
          As it is now
        </Link>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className={css.text} tabIndex={0}>
        {written(policy.policy)}
      </pre>
    </Panel>
  )
}

export function PolicyPage() {
  const { revision } = useSearch({ from: '/policy' })
  const { name, model, query: models } = useActiveModel()
  const query = useQuery({ ...policyQuery(name ?? '', revision), enabled: name !== undefined })
  const content = () => {
    const error = models.error ?? query.error
    if (error && !query.data)
      return <Failed error={error} onRetry={() => (models.error ? models : query).refetch()} />
    if (models.isSuccess && name === undefined)
      return <Empty title="No model yet">Make one first: clm model create NAME.</Empty>
    if (!query.data) return <Loading heights={[120, 320]} />
    return (
      <div className={css.stack}>
        <Different policy={query.data} />
        {revision ? <Past policy={query.data} /> : <EditPolicy key={name} policy={query.data} />}
        <Revisions model={query.data.model} now={model?.revision ?? query.data.revision} />
      </div>
    )
  }
  return (
    <>
      <PageHeader
        title="Policy"
        sub="What the operator of a model decides once. Each update keeps the policy that it ran under."
      />
      {content()}
    </>
  )
}
