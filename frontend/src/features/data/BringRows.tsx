import { Button, FileInput, NativeSelect, Switch } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Panel } from '@/components/Panel'
import { Refused } from '@/components/States'
import type { Model } from '@/lib/api/types'
import { sendRows } from './api'
import css from './Data.module.css'
import { Report } from './Report'

/** Sends a file of rows for a task and tells what became of each. */
export function BringRows({ model }: { model: Model }) {
  const [chosen, setChosen] = useState<string>()
  const [file, setFile] = useState<File | null>(null)
  const [suite, setSuite] = useState(false)
  const task = chosen ?? model.tasks[0]?.name
  const client = useQueryClient()
  const send = useMutation({
    mutationFn: sendRows,
    onSuccess: () => {
      setFile(null)
      void client.invalidateQueries({ queryKey: ['batches', model.name] })
    },
  })
  const ready = task !== undefined && file !== null
  const submit = (event: React.FormEvent) => {
    event.preventDefault()
    if (ready) send.mutate({ model: model.name, task, file, suite })
  }
  return (
    <Panel title="Bring rows">
      <form className={css.form} onSubmit={submit}>
        <NativeSelect
          label="Task"
          data={model.tasks.map((each) => each.name)}
          value={task}
          onChange={(event) => setChosen(event.currentTarget.value)}
        />
        <FileInput
          label="File: JSON lines, CSV or Parquet"
          placeholder="Choose a file"
          classNames={{ placeholder: css.placeholder }}
          accept=".jsonl,.json,.csv,.parquet,.pq"
          value={file}
          onChange={setFile}
          clearable
          clearButtonProps={{ 'aria-label': 'Choose no file' }}
        />
        <Switch
          className={css.switch}
          label="For the exam only"
          checked={suite}
          onChange={(event) => setSuite(event.currentTarget.checked)}
        />
        <Button type="submit" disabled={!ready} loading={send.isPending}>
          Send rows
        </Button>
      </form>
      {send.error ? <Refused error={send.error} /> : null}
      {send.data ? (
        <>
          <Report report={send.data} />
          {send.data.accepted > 0 && !send.data.suite ? (
            <p className={css.next}>
              Nothing is learned yet: <Link to="/updates">start an update</Link> of {send.data.task}.
            </p>
          ) : null}
        </>
      ) : null}
    </Panel>
  )
}
