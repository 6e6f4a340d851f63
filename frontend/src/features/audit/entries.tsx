import type { Column } from '@/components/columns'
import { Time } from '@/components/Time'
import type { AuditEntry } from '@/lib/api/types'
import { count, moment } from '@/lib/format'
import css from './Audit.module.css'

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** What changed, field by field: before → after. */
function Change({ entry }: { entry: AuditEntry }) {
  const before = entry.before ?? {}
  const after = entry.after ?? {}
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return (
    <ul className={css.change}>
      {fields.map((field) => (
        <li key={field}>
          <span>{field}</span> {field in before ? `${plain(before[field])} → ` : ''}
          {field in after ? plain(after[field]) : 'gone'}
        </li>
      ))}
      {entry.reason ? <li>because: {entry.reason}</li> : null}
    </ul>
  )
}

export const COLUMNS: Column<AuditEntry>[] = [
  {
    id: 'number',
    header: 'No.',
    value: (entry) => entry.sequence,
    cell: (entry) => count(entry.sequence),
    look: 'right',
  },
  {
    id: 'when',
    header: 'When',
    value: (entry) => entry.at,
    cell: (entry) => <Time at={entry.at} />,
    look: 'fit',
  },
  {
    id: 'what',
    header: 'What',
    value: (entry) => `${entry.action} ${entry.object_kind} ${entry.object_id}`,
    cell: (entry) => (
      <>
        {entry.action}
        <span className={css.object}>
          {entry.object_kind} {entry.object_id}
        </span>
      </>
    ),
    names: true,
  },
  { id: 'who', header: 'Who', value: (entry) => entry.actor, cell: (entry) => entry.actor, look: 'fit' },
  { id: 'change', header: 'Before → after', cell: (entry) => <Change entry={entry} /> },
  {
    id: 'digest',
    header: 'Digest',
    cell: (entry) => <code title={entry.hash}>{entry.hash.slice(0, 10)}</code>,
    look: 'fit',
  },
]

/** An entry whole, with what proves it. */
export function EntryPeek({ entry }: { entry: AuditEntry }) {
  return (
    <div className={css.stack}>
      <p>
        {entry.actor} · {moment(entry.at)}
      </p>
      <p>
        {entry.object_kind} <code>{entry.object_id}</code>
      </p>
      <Change entry={entry} />
      {entry.request_id ? (
        <p>
          Request <code>{entry.request_id}</code>
        </p>
      ) : null}
      <p className={css.digest}>
        Digest <code>{entry.hash}</code>
      </p>
    </div>
  )
}
