import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { Panel } from '@/components/Panel'
import { Failed, Loading, Nothing } from '@/components/States'
import table from '@/components/Table.module.css'
import { Time } from '@/components/Time'
import type { Version } from '@/lib/api/types'
import { historyQuery } from './api'
import css from './Data.module.css'

const STATES: Record<Version['state'], string> = {
  holds: 'holds',
  superseded: 'superseded',
  undecided: 'waits for a decision',
}

function Versions({ versions }: { versions: Version[] }) {
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <caption className="visually-hidden">Versions of the answer, newest first</caption>
        <thead>
          <tr>
            {['Answer', 'Asked as', 'Of', 'Came', 'From', 'State'].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => (
            <tr key={`${version.record_id} ${version.ingested_at}`}>
              <th scope="row" className={css.sample}>
                {version.answer}
                <span className={css.source}>{version.task}</span>
              </th>
              <td className={css.sample}>{version.prompt}</td>
              <td>
                <Time at={version.event_time} />
              </td>
              <td>
                <Time at={version.ingested_at} />
              </td>
              <td>
                {version.source}
                <span className={css.source}>{version.batch_id}</span>
              </td>
              <td>
                {STATES[version.state]}
                {version.held_out ? <span className={css.source}>held out for the exam</span> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Found({ model, of }: { model: string; of: string }) {
  const query = useQuery(historyQuery(model, of))
  if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
  if (!query.data) return <Loading heights={[80]} />
  if (query.data.items.length === 0) return <Nothing>No row has this prompt or key.</Nothing>
  return <Versions versions={query.data.items.toReversed()} />
}

type Props = { model: string; asked: string; onAsk: (of: string) => void }

/** What a prompt or a key had as its answer, and what superseded what. */
export function History({ model, asked, onAsk }: Props) {
  const [text, setText] = useState(asked)
  useEffect(() => setText(asked), [asked])
  const submit = (event: React.FormEvent) => {
    event.preventDefault()
    onAsk(text.trim())
  }
  return (
    <Panel title="History of an answer">
      <form className={css.search} onSubmit={submit}>
        <TextInput
          label="Prompt or key"
          placeholder="What does the Lumo lamp cost?"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" disabled={text.trim() === ''}>
          Show
        </Button>
      </form>
      {asked ? <Found model={model} of={asked} /> : null}
    </Panel>
  )
}
