import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { Confirm } from '@/components/Confirm'
import { Icon } from '@/components/Icon'
import type { Model } from '@/lib/api/types'
import { word } from '@/lib/format'
import { useAsk } from '@/lib/useAsk'
import { type Rollout, startUpdate } from './api'
import { RolloutChoice } from './RolloutChoice'
import css from './Updates.module.css'

/** Starts an update of one task by hand. What will happen is said before it does. */
export function StartUpdate({ model }: { model: Model }) {
  const question = useAsk('start')
  const [chosen, setChosen] = useState<string>()
  const [rollout, setRollout] = useState<Rollout>()
  const task = chosen ?? model.tasks[0]?.name
  const navigate = useNavigate()
  const client = useQueryClient()
  const start = useMutation({
    mutationFn: (name: string) => startUpdate(model.name, name, rollout),
    onSuccess: (update) => {
      void client.invalidateQueries({ queryKey: ['updates'] })
      void navigate({
        to: '/updates/$id',
        params: { id: update.id },
        search: (old) => ({ model: old.model }),
      })
    },
  })
  const open = () => {
    start.reset()
    question.open()
  }
  return (
    <>
      <Button leftSection={<Icon name="play" size={14} />} onClick={open} disabled={model.tasks.length === 0}>
        Start update
      </Button>
      <Confirm
        opened={question.opened}
        title={`Update ${model.name}`}
        confirm={`Start update of ${task}`}
        dismiss="Not now"
        pending={start.isPending}
        error={start.error}
        onConfirm={() => task && start.mutate(task)}
        onClose={question.close}
      >
        <p>
          Freezes the data as it is now, trains an expert for one task and compares it with the champion on
          every task. It takes traffic only if the gate passes.
        </p>
        <fieldset className={css.tasks}>
          <legend className="visually-hidden">Task</legend>
          {model.tasks.map((each) => (
            <label key={each.name} className={css.task}>
              <input
                type="radio"
                name="task"
                value={each.name}
                checked={each.name === task}
                onChange={() => setChosen(each.name)}
              />
              <span>
                <strong>{each.name}</strong>
                {[each.description, `judged by ${word(each.metric)}`].filter(Boolean).join(' · ')}
              </span>
            </label>
          ))}
        </fieldset>
        <RolloutChoice
          usual={model.policy.rollout?.kind ?? 'canary'}
          chosen={rollout}
          onChoose={setRollout}
        />
      </Confirm>
    </>
  )
}
