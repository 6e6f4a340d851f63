import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { PolicyRevision } from '@/lib/api/types'
import { MISSING } from '@/lib/format'
import { revisionsQuery } from './api'

function List({ revisions, now }: { revisions: PolicyRevision[]; now: number }) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">Revisions of the policy, newest first</caption>
        <thead>
          <tr>
            {['Revision', 'When', 'Who', 'Why'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {revisions.toReversed().map(({ revision, created_at, actor, reason }) => (
            <tr key={revision}>
              <th scope="row" className={table.fit}>
                <Link
                  to="/policy"
                  search={(old) => ({ model: old.model, revision: revision === now ? undefined : revision })}
                >
                  {revision === now ? `${revision}, as it is now` : revision}
                </Link>
              </th>
              <td className={table.fit}>
                <Time at={created_at} />
              </td>
              <td>{actor ?? 'the making of the model'}</td>
              <td>{reason ?? MISSING}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Every policy that the model had; each can be looked at again. */
export function Revisions({ model, now }: { model: string; now: number }) {
  const query = useQuery(revisionsQuery(model))
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[80]} />
    if (query.data.items.length === 0) return <Nothing>The policy was never changed.</Nothing>
    return <List revisions={query.data.items} now={now} />
  }
  return (
    <Panel title="Revisions" flush={Boolean(query.data?.items.length)}>
      {content()}
    </Panel>
  )
}
