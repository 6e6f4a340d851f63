import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Panel } from '@/components/Panel'
import { Nothing, Refused } from '@/components/States'
import { Status } from '@/components/Status'
import { verifyRelease } from './api'
import css from './Releases.module.css'

const HOLDS = { tone: 'ok', icon: 'check', label: 'Verifies' } as const
const BROKEN = { tone: 'bad', icon: 'alert', label: 'Does not verify' } as const

/** Files and signature, checked when it is asked for: it reads the whole folder. */
export function VerifyRelease({ id }: { id: string }) {
  const verify = useMutation({ mutationFn: () => verifyRelease(id) })
  return (
    <Panel
      title="Files and signature"
      note={
        <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify now
        </Button>
      }
    >
      <div role="status">
        {verify.data ? (
          <p className={css.told}>
            <Status look={verify.data.ok ? HOLDS : BROKEN} />
            {verify.data.reason}
          </p>
        ) : verify.error ? (
          <Refused error={verify.error} />
        ) : (
          <Nothing>Every file is compared with its digest, and the signature is checked.</Nothing>
        )}
      </div>
    </Panel>
  )
}
