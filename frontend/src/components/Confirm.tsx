import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import css from './Confirm.module.css'
import { Dialog } from './Dialog'
import { Refused } from './States'

type Props = {
  opened: boolean
  title: string
  confirm: string
  dismiss?: string
  danger?: boolean
  pending: boolean
  error: unknown
  onConfirm: () => void
  onClose: () => void
  children: ReactNode
}

/** One question, one click: the focus stands on the confirming button, Escape leaves all as it is. */
export function Confirm({
  opened,
  title,
  confirm,
  dismiss = 'Keep as it is',
  danger = false,
  pending,
  error,
  onConfirm,
  onClose,
  children,
}: Props) {
  return (
    <Dialog opened={opened} onClose={onClose} title={title} size={480}>
      <div className={css.body}>
        {children}
        {error ? <Refused error={error} /> : null}
        <div className={css.buttons}>
          <Button variant="default" onClick={onClose}>
            {dismiss}
          </Button>
          <Button color={danger ? 'red' : 'blue'} loading={pending} onClick={onConfirm} data-autofocus>
            {confirm}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
