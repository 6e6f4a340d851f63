import { Link } from '@tanstack/react-router'
import { Fragment } from 'react'
import { Time } from '@/components/Time'
import { useReleaseNames } from '@/lib/api/releases'
import type { Release } from '@/lib/api/types'
import css from './Releases.module.css'

/** Where a release comes from and what it is made of. */
export function Facts({ release }: { release: Release }) {
  const name = useReleaseNames(release.model)
  const facts: [string, React.ReactNode][] = [
    ['Id', <code key="id">{release.release_id}</code>],
    ['Made', <Time key="at" at={release.created_at} />],
    ['Before it', release.parent ? name(release.parent) : 'nothing: it is the base alone'],
    [
      'By',
      release.update_id ? (
        <Link key="by" to="/updates/$id" params={{ id: release.update_id }} search={true}>
          the update that made it
        </Link>
      ) : (
        'the making of the model'
      ),
    ],
    ['Base', <code key="base">{release.base}</code>],
    ['Router', release.router_hash ? <code key="router">{release.router_hash.slice(0, 12)}</code> : 'none'],
    ['Tracker', release.mlflow_version ? `version ${release.mlflow_version}` : 'not mirrored yet'],
  ]
  return (
    <dl className={css.facts}>
      {facts.map(([label, value]) => (
        <Fragment key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  )
}
