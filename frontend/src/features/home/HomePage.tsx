import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useEffect } from 'react'
import { Icon, type IconName } from '@/components/Icon'
import { LedgerPanel } from '@/components/LedgerPanel'
import { PageHeader } from '@/components/PageHeader'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading, Nothing } from '@/components/States'
import { TrafficBar } from '@/components/TrafficBar'
import { modelsQuery } from '@/lib/api/models'
import type { Overview } from '@/lib/api/types'
import { release, time } from '@/lib/format'
import { usePolling } from '@/lib/useLive'
import { overviewQuery } from './api'
import css from './Home.module.css'
import { AttentionPanel, EventsPanel, RunningPanel } from './Panels'

const MARKS: Record<Overview['verdict']['level'], IconName> = {
  ok: 'check',
  attention: 'alert',
  problem: 'alert',
  empty: 'wait',
}

function Verdict({ overview }: { overview: Overview }) {
  const { level, sentence } = overview.verdict
  return (
    <header className={css.verdict}>
      <span className={css.mark} data-level={level}>
        <Icon name={MARKS[level]} size={20} />
      </span>
      <div>
        <h1>{sentence}</h1>
        <p className={`${css.asOf} num`}>
          {overview.model ? `${overview.model} · ` : ''}as of {time(overview.as_of)}
        </p>
      </div>
    </header>
  )
}

function Serving({ serving }: { serving: Overview['serving'] }) {
  const champion = serving?.champion
  return (
    <Panel
      title="Serving"
      note={
        <Link to="/deployment" search={true}>
          Deployment
        </Link>
      }
    >
      {serving && champion ? (
        <TrafficBar
          champion={release(champion.number, champion.release_id)}
          candidate={
            serving.candidate ? release(serving.candidate.number, serving.candidate.release_id) : null
          }
          candidateShare={serving.candidate_share}
        />
      ) : (
        <Nothing>No release serves yet; the first update that passes the gate will.</Nothing>
      )}
    </Panel>
  )
}

function Welcome() {
  return (
    <Empty
      title="Keep a language model current without letting it forget"
      steps={[
        <>
          Make a model: <code>clm model create support-assistant</code>
        </>,
        <>
          Say what it must be able to do: <code>clm task add intent --model support-assistant</code>
        </>,
        <>
          Bring data: <code>clm ingest FILE --model support-assistant --task intent</code>
        </>,
      ]}
    >
      This page tells which release answers, what is being learned and what needs you. To see the whole story
      with demo data first, run <code>make demo</code>.
    </Empty>
  )
}

export function HomePage() {
  const asked = useSearch({ strict: false }).model
  const query = useQuery({ ...overviewQuery(asked), refetchInterval: usePolling(10_000) })
  const models = useQuery(modelsQuery())
  useEffect(() => {
    document.title = 'Home · CLM'
  }, [])

  if (query.isPending) return <Loading heights={[68, 110, 300]} />
  if (query.isError && !query.data) {
    return (
      <>
        <PageHeader title="Home" />
        <Failed error={query.error} onRetry={() => query.refetch()} />
      </>
    )
  }
  const overview = query.data
  if (overview.models.length === 0) {
    return (
      <>
        <Verdict overview={overview} />
        <Welcome />
      </>
    )
  }
  return (
    <>
      <Verdict overview={overview} />
      <div className={css.grid}>
        <div className={css.column}>
          <Serving serving={overview.serving} />
          <LedgerPanel
            ledger={overview.ledger}
            aliases={{
              champion: overview.serving?.champion?.number ?? null,
              candidate: overview.serving?.candidate?.number ?? null,
            }}
            model={models.data?.items.find((model) => model.name === overview.model)}
          />
          <EventsPanel events={overview.events} />
        </div>
        <div className={css.column}>
          <RunningPanel update={overview.running_update} />
          <AttentionPanel items={overview.attention} />
        </div>
      </div>
    </>
  )
}
