import { Button, Tooltip } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Confirm } from '@/components/Confirm'
import { Icon, type IconName } from '@/components/Icon'
import type { NameOf } from '@/lib/api/releases'
import type { Deployment, Moved } from '@/lib/api/types'
import { capital } from '@/lib/format'
import { useAsk } from '@/lib/useAsk'
import { type ActionName, act } from './api'
import { words } from './words'

const ICONS: Record<ActionName, IconName> = {
  rollback: 'undo',
  promote: 'check',
  pause: 'pause',
  resume: 'play',
  abort: 'stop',
}

type Props = {
  action: ActionName
  deployment: Deployment
  nameOf: NameOf
  onDone: (answer: Moved, action: ActionName) => void
  children?: ReactNode
}

/** A button of the server's choosing: enabled or not, and why not, comes from `allowed_actions`. */
export function ActionButton({ action, deployment, nameOf, onDone, children }: Props) {
  const question = useAsk(action)
  const client = useQueryClient()
  const allowed = deployment.allowed_actions.find((a) => a.action === action)
  const said = words(action, deployment, nameOf)
  const run = useMutation({
    mutationFn: () =>
      act({
        model: deployment.model,
        action,
        expected_revision: deployment.revision,
        reason: 'asked for in the dashboard',
      }),
    onSuccess: (answer) => {
      question.close()
      onDone(answer, action)
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['deployment'] }),
  })
  const open = () => {
    run.reset()
    question.open()
  }
  const red = action === 'rollback'
  const disabled = !allowed?.enabled
  const button = (
    <Button
      size={red ? 'sm' : 'xs'}
      color={red ? 'red' : 'gray'}
      variant={red ? 'filled' : 'default'}
      leftSection={<Icon name={ICONS[action]} size={red ? 16 : 13} />}
      disabled={disabled}
      onClick={open}
    >
      {red ? 'Roll back' : capital(action)}
    </Button>
  )
  return (
    <>
      {disabled ? (
        <Tooltip label={allowed?.reason ?? 'The server does not offer this now.'}>
          <span>{button}</span>
        </Tooltip>
      ) : (
        button
      )}
      <Confirm
        opened={question.opened && !disabled}
        title={said.title}
        confirm={said.confirm}
        danger={said.danger}
        pending={run.isPending}
        error={run.error}
        onConfirm={() => run.mutate()}
        onClose={question.close}
      >
        <p>{said.effect}</p>
        {children}
      </Confirm>
    </>
  )
}
