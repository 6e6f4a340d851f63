import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Panel } from './Panel'
import { Nothing, Refused } from './States'
import { Status } from './Status'
import css from './Verify.module.css'

type Props = {
  title: string
  check: () => Promise<{ ok: boolean; reason: string }>
  holds: string
  broken: string
  /** What the check compares; told until it was asked for. */
  children: ReactNode
}

/** A proof that is checked when it is asked for, since it reads everything. */
export function Verify({ title, check, holds, broken, children }: Props) {
  const verify = useMutation({ mutationFn: check })
  const found = verify.data
  return (
    <Panel
      title={title}
      note={
        <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify now
        </Button>
      }
    >
      <div role="status">
        {found ? (
          <p className={css.told}>
            <Status
              look={
                found.ok
                  ? { tone: 'ok', icon: 'check', label: holds }
                  : { tone: 'bad', icon: 'alert', label: broken }
              }
            />
            {found.reason}
          </p>
        ) : verify.error ? (
          <Refused error={verify.error} />
        ) : (
          <Nothing>{children}</Nothing>
        )}
      </div>
    </Panel>
  )
}
