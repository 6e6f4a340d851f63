import table from '@/components/Table.module.css'
import type { SettingChange } from '@/lib/api/types'

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? null))

type Props = { caption: string; before: string; after: string; changes: SettingChange[] }

/** Settings with two values each. */
export function Changes({ caption, before, after, changes }: Props) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {['Setting', before, after].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.setting}>
              <th scope="row">{change.setting}</th>
              <td>{plain(change.before)}</td>
              <td>{plain(change.after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
