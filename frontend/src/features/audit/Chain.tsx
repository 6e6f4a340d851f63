import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Panel } from '@/components/Panel'
import { Nothing, Refused } from '@/components/States'
import { Status } from '@/components/Status'
import css from './Audit.module.css'
import { verifyChain } from './api'

const HOLDS = { tone: 'ok', icon: 'check', label: 'The chain holds' } as const
const BROKEN = { tone: 'bad', icon: 'alert', label: 'The chain is broken' } as const

/** Whether an entry was changed, added or taken out since it was written; checked when it is asked for. */
export function Chain() {
  const verify = useMutation({ mutationFn: verifyChain })
  const found = verify.data
  return (
    <Panel
      title="Chain"
      note={
        <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify now
        </Button>
      }
    >
      <div role="status">
        {found ? (
          <p className={css.told}>
            <Status look={found.ok ? HOLDS : BROKEN} />
            {found.reason}
          </p>
        ) : verify.error ? (
          <Refused error={verify.error} />
        ) : (
          <Nothing>
            Each entry holds the digest of the one before, and heads are signed: what was edited afterwards is
            found.
          </Nothing>
        )}
      </div>
    </Panel>
  )
}
