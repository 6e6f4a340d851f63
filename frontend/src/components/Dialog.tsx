import { Modal } from '@mantine/core'
import type { ReactNode } from 'react'

type Props = { opened: boolean; title: string; size: number; onClose: () => void; children: ReactNode }

/** A modal dialog. The page behind may scroll: locking it would inject a style element, which the CSP forbids. */
export function Dialog({ opened, title, size, onClose, children }: Props) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size={size}
      radius={12}
      centered
      lockScroll={false}
      transitionProps={{ duration: 120 }}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {children}
    </Modal>
  )
}
