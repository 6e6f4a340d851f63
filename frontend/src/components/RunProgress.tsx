import type { Update } from '@/lib/api/types'
import { between, capital, count, duration, roughly } from '@/lib/format'
import { useNow } from '@/lib/useNow'
import { Icon } from './Icon'
import css from './Progress.module.css'

/** Progress reports come about once a second; after this long without one the job is called stalled. */
const STALLED_SECONDS = 30

type Told = NonNullable<Update['progress']>
/** `steps` is null while a training decides for itself how long it goes on. */
type Progress = Told & { step: number; at: string }

const measured = (told: Told): told is Progress =>
  typeof told.step === 'number' && typeof told.at === 'string'

function Measured({ progress }: { progress: Progress }) {
  const now = useNow()
  const steps = progress.steps ?? null
  const share = steps ? Math.min(100, (100 * progress.step) / steps) : 0
  const beat = Math.max(0, (now - Date.parse(progress.at)) / 1000)
  const stalled = beat > STALLED_SECONDS
  const eta = progress.eta_seconds
  return (
    <div>
      <div className={css.line}>
        <span className={css.stage}>
          {capital(progress.stage)}{' '}
          <span className="num muted">
            {steps === null
              ? `${count(progress.step)} steps so far`
              : `${count(progress.step)} / ${count(steps)}`}
          </span>
        </span>
        <span className={`${css.eta} num`}>
          {eta !== null && eta !== undefined && !stalled ? `about ${roughly(eta)} left` : null}
        </span>
      </div>
      <div
        className={css.track}
        data-stalled={stalled}
        role="progressbar"
        aria-label={`${progress.stage} progress`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={steps === null ? undefined : Math.round(share)}
      >
        <div className={css.fill} style={{ width: `${share}%` }} />
      </div>
      <div className={`${css.facts} num`}>
        {progress.tokens_per_second ? (
          <span>{count(Math.round(progress.tokens_per_second))} tokens/s</span>
        ) : null}
        {typeof progress.loss === 'number' ? <span>loss {progress.loss.toFixed(3)}</span> : null}
        {stalled ? (
          <span className={css.stalled}>
            <Icon name="alert" size={13} /> stalled: nothing heard for {duration(beat)}
          </span>
        ) : (
          <span>last heard {beat < 3 ? 'just now' : `${Math.round(beat)} s ago`}</span>
        )}
      </div>
    </div>
  )
}

/** Where a running update is: measured steps where the stage reports them, else how long the stage has run. */
export function RunProgress({ update }: { update: Update }) {
  const now = useNow()
  const { progress, stage } = update
  if (progress && progress.stage === stage && measured(progress)) return <Measured progress={progress} />
  const entry = update.stages.find((s) => s.name === stage)
  const seconds = between(entry?.started_at ?? update.started_at, null, now)
  return (
    <div className={css.line}>
      <span className={css.stage}>{stage ? capital(stage) : 'Waiting for its turn'}</span>
      <span className={`${css.eta} num`}>{seconds === null ? null : `for ${duration(seconds)}`}</span>
    </div>
  )
}
