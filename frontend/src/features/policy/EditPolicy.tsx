import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Panel } from '@/components/Panel'
import { Nothing, Refused } from '@/components/States'
import { ApiError } from '@/lib/api/errors'
import type { Policy } from '@/lib/api/types'
import { editPolicy, policyQuery } from './api'
import { Changes } from './Changes'
import css from './Policy.module.css'
import { changed, read, written } from './text'

/** A revision that somebody made meanwhile: the server refuses the edit of an older one. */
const overtaken = (error: unknown) => error instanceof ApiError && [409, 412].includes(error.status)

/** `from` is what the text began as, `seen` the revision that the edit is to follow. */
type Draft = { text: string; from: Policy; seen: number }

/** What would change is said by the server before anything does. The text is kept until it is saved. */
export function EditPolicy({ policy }: { policy: Policy }) {
  const [draft, setDraft] = useState<Draft>()
  const [problem, setProblem] = useState<string>()
  const client = useQueryClient()
  const edit = useMutation({
    mutationFn: editPolicy,
    onSuccess: async (_, { dryRun }) => {
      if (dryRun) return
      setDraft(undefined)
      await client.invalidateQueries({ queryKey: ['policy'] })
      await client.invalidateQueries({ queryKey: ['policy-revisions'] })
      await client.invalidateQueries({ queryKey: ['models'] })
    },
  })
  const shown = draft?.text ?? written(policy.policy)
  const change = (wanted?: Draft) => {
    setDraft(wanted)
    setProblem(undefined)
    edit.reset()
  }
  const type = (text: string) => change({ from: policy, seen: policy.revision, ...draft, text })
  const send = (dryRun: boolean) => {
    if (!draft) return
    try {
      const settings = changed(draft.from.policy, read(draft.text))
      edit.mutate({ model: policy.model, seen: draft.seen, settings, dryRun })
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const anew = async () => {
    const { revision } = await client.fetchQuery({ ...policyQuery(policy.model), staleTime: 0 })
    if (draft) change({ ...draft, seen: revision })
  }
  const asked = edit.variables?.dryRun === true && edit.data
  return (
    <Panel title="All settings" note={`revision ${policy.revision}`}>
      <div className={css.edit}>
        <label className={css.label} htmlFor="policy">
          Change a value, or take out lines that you leave alone. Nothing is saved before you have seen what
          would change.
        </label>
        <textarea
          id="policy"
          className={css.text}
          rows={22}
          spellCheck={false}
          value={shown}
          onChange={(event) => type(event.currentTarget.value)}
        />
        <div className={css.buttons}>
          <Button variant="default" loading={edit.isPending} disabled={!draft} onClick={() => send(true)}>
            Show what would change
          </Button>
          {draft ? (
            <Button variant="subtle" onClick={() => change()}>
              Back to what is saved
            </Button>
          ) : null}
        </div>
        <div role="status">
          {asked && asked.changed.length === 0 ? <Nothing>That changes nothing.</Nothing> : null}
          {edit.data && edit.variables?.dryRun === false ? (
            <Nothing>Saved as revision {edit.data.revision}. The next update runs under it.</Nothing>
          ) : null}
        </div>
        {problem ? <Refused error={new ApiError(0, 'Not sent', problem, null)} /> : null}
        {edit.error ? <Refused error={edit.error} /> : null}
        {overtaken(edit.error) ? (
          <div className={css.buttons}>
            <Button variant="default" onClick={anew}>
              Read the policy anew
            </Button>
            <Nothing>
              Your text stays. Then show again what would change, and save it if it still is right.
            </Nothing>
          </div>
        ) : null}
        {asked && asked.changed.length > 0 ? (
          <>
            <Changes caption="What would change" before="Now" after="Then" changes={asked.changed} />
            <div className={css.buttons}>
              <Button onClick={() => send(false)}>
                Save {asked.changed.length === 1 ? 'this change' : 'these changes'}
              </Button>
            </div>
          </>
        ) : null}
      </div>
    </Panel>
  )
}
