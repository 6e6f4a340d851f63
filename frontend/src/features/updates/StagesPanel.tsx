import { useNavigate } from '@tanstack/react-router'
import { Panel } from '@/components/Panel'
import { Rail } from '@/components/Rail'
import { RunProgress } from '@/components/RunProgress'
import { type Look, stageLook } from '@/components/status'
import type { Update, UpdateStage } from '@/lib/api/types'
import { between, capital, duration, MISSING, word } from '@/lib/format'
import { useNow } from '@/lib/useNow'
import css from './Updates.module.css'

/** What a stage made, as it told it: numbers and names as they are, hashes shortened, the rest as JSON. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return MISSING
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return JSON.stringify(value)
}

/** A gate that said no did not stop an update that was repaired after it. */
function lookOf(stage: UpdateStage, update: Update): Look {
  const wentOn = stage.name === 'gate' && update.stages.some((s) => s.name === 'repair')
  const look = stageLook(stage.state)
  return wentOn && stage.state === 'failed' ? { ...look, label: 'Said no' } : look
}

function meta(stage: UpdateStage, now: number): string {
  const took = between(stage.started_at, stage.finished_at, now)
  const parts = [took === null ? stageLook(stage.state).label : duration(took)]
  if (stage.attempts > 1) parts.push(`attempt ${stage.attempts}`)
  return parts.join(' · ')
}

function Detail({ stage, look }: { stage: UpdateStage; look: Look }) {
  const entries = Object.entries(stage.detail ?? {})
  return (
    <dl className={css.detail} aria-label={`${stage.name} details`}>
      <div>
        <dt>{capital(stage.name)}</dt>
        <dd>{look.label}</dd>
      </div>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{capital(word(name))}</dt>
          <dd className="num">{shown(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

/** The stages from left to right, repair only where it ran; a click shows what a stage made. */
export function StagesPanel({ update, picked }: { update: Update; picked: string | undefined }) {
  const now = useNow(1000)
  const navigate = useNavigate()
  const stage = update.stages.find((s) => s.name === picked)
  const pick = (name: string) =>
    navigate({
      to: '/updates/$id',
      params: { id: update.id },
      search: (old) => ({ ...old, stage: name === picked ? undefined : name }),
      replace: true,
    })
  return (
    <Panel title="Stages">
      <div className={css.rail}>
        <Rail
          label="Stages of this update"
          picked={picked}
          onPick={pick}
          nodes={update.stages.map((s) => ({
            key: s.name,
            name: capital(s.name),
            look: lookOf(s, update),
            meta: meta(s, now),
          }))}
        />
      </div>
      {update.state === 'running' || update.state === 'cancelling' ? (
        <div className={css.progress}>
          <RunProgress update={update} />
        </div>
      ) : null}
      {stage ? <Detail stage={stage} look={lookOf(stage, update)} /> : null}
    </Panel>
  )
}
