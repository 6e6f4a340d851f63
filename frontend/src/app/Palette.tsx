import '@mantine/core/styles/Combobox.css'
import { Combobox, TextInput, useCombobox } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Dialog } from '@/components/Dialog'
import { useActiveModel } from '@/lib/api/models'
import { matching, offered } from './commands'
import css from './Palette.module.css'

/** Pages, objects and allowed actions by a few letters. It only leads to them: an action is asked for there. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const { name: model } = useActiveModel()
  const client = useQueryClient()
  const navigate = useNavigate()
  const store = useCombobox({ opened: true })
  const { data, isFetching } = useQuery({
    queryKey: ['commands', model],
    queryFn: () => offered(client, model ?? ''),
    enabled: model !== undefined,
    staleTime: 0,
    gcTime: 0,
  })
  const groups = matching(data ?? [], text)
  const commands = groups.flatMap(([, list]) => list)
  const found = commands.length

  // biome-ignore lint/correctness/useExhaustiveDependencies: the first line is chosen again when the lines change
  useEffect(() => {
    store.selectFirstOption()
  }, [text, found])

  const go = (at: number) => {
    const command = commands[at]
    onClose()
    if (command) void navigate({ to: command.to, search: command.search ?? {} })
  }
  return (
    <Dialog opened onClose={onClose} title="Find a page, an object or an action" size={560}>
      <Combobox store={store} onOptionSubmit={(at) => go(Number(at))}>
        <Combobox.EventsTarget>
          <TextInput
            aria-label="Find"
            placeholder="A page, upd_…, a release number, an action"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            data-autofocus
          />
        </Combobox.EventsTarget>
        <Combobox.Options className={css.options} aria-label="Found" tabIndex={0}>
          {groups.map(([group, list]) => (
            <Combobox.Group key={group} label={group}>
              {list.map((command) => (
                <Combobox.Option
                  key={`${command.name} ${command.to}`}
                  value={String(commands.indexOf(command))}
                  className={css.option}
                >
                  {command.name}
                  <span>{command.note}</span>
                </Combobox.Option>
              ))}
            </Combobox.Group>
          ))}
        </Combobox.Options>
      </Combobox>
      <p className={css.told} role="status">
        {found > 0 ? null : isFetching ? 'Looking…' : 'Nothing fits. A whole id opens its object.'}
      </p>
    </Dialog>
  )
}
