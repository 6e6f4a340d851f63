import { ActionIcon, Button, Skeleton } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { asApiError } from '@/lib/api/errors'
import { Icon } from './Icon'
import css from './States.module.css'

type EmptyProps = { title: string; children: ReactNode; steps?: ReactNode[]; action?: ReactNode }

/** What a page is for, and the way out of its being empty. */
export function Empty({ title, children, steps, action }: EmptyProps) {
  return (
    <section className={css.state}>
      <h2>{title}</h2>
      <p>{children}</p>
      {steps ? (
        <ol className={css.steps}>
          {steps.map((step, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a fixed list that never changes order
            <li key={at}>
              <span>{step}</span>
            </li>
          ))}
        </ol>
      ) : null}
      {action}
    </section>
  )
}

function RequestId({ id }: { id: string }) {
  const [copied, setCopied] = useState(false)
  const copy = () => navigator.clipboard?.writeText(id).then(() => setCopied(true))
  return (
    <span className={css.request}>
      Request <code>{id}</code>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Copy request id" onClick={copy}>
        <Icon name={copied ? 'check' : 'copy'} size={13} />
      </ActionIcon>
    </span>
  )
}

/** A page or panel that failed to load: what happened, the request's id, and another try. */
export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = asApiError(error)
  return (
    <section className={css.state} data-tone="bad" role="alert">
      <h2>
        <span className={css.icon}>
          <Icon name="alert" size={18} />
        </span>
        {problem.title}
      </h2>
      <p>{problem.detail}</p>
      {problem.requestId ? <RequestId id={problem.requestId} /> : null}
      {onRetry ? (
        <Button size="sm" variant="default" onClick={onRetry}>
          Try again
        </Button>
      ) : null}
    </section>
  )
}

/** A refused action, told where the action was asked for. */
export function Refused({ error }: { error: unknown }) {
  const problem = asApiError(error)
  return (
    <div className={css.inline} role="alert">
      <Icon name="alert" size={15} />
      <span>
        <strong>{problem.title}.</strong> {problem.detail}
        {problem.requestId ? <> Request {problem.requestId}.</> : null}
      </span>
    </div>
  )
}

export function Nothing({ children }: { children: ReactNode }) {
  return <p className={css.small}>{children}</p>
}

export function Loading({ heights }: { heights: number[] }) {
  return (
    <div className={css.skeletons} role="status" aria-label="Loading">
      {heights.map((height, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
        <Skeleton key={at} height={height} radius={10} />
      ))}
    </div>
  )
}
