import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Confirm } from '@/components/Confirm'
import { Icon } from '@/components/Icon'
import type { Update } from '@/lib/api/types'
import { useAsk } from '@/lib/useAsk'
import { cancelUpdate } from './api'

/** Offered only where the server says that the update can be cancelled. */
export function CancelUpdate({ update }: { update: Update }) {
  const question = useAsk('cancel')
  const client = useQueryClient()
  const cancel = useMutation({
    mutationFn: () => cancelUpdate(update.id),
    onSuccess: async () => {
      question.close()
      await client.invalidateQueries({ queryKey: ['update', update.id] })
      await client.invalidateQueries({ queryKey: ['updates'] })
    },
  })
  if (!update.allowed_actions.includes('cancel')) return null
  return (
    <>
      <Button variant="default" leftSection={<Icon name="stop" size={14} />} onClick={question.open}>
        Cancel update
      </Button>
      <Confirm
        opened={question.opened}
        title={`Cancel the update of ${update.task}?`}
        confirm="Cancel update"
        danger
        pending={cancel.isPending}
        error={cancel.error}
        onConfirm={() => cancel.mutate()}
        onClose={question.close}
      >
        <p>
          The running stage stops at its next checkpoint. The champion keeps all of its traffic, the data
          stays.
        </p>
      </Confirm>
    </>
  )
}
