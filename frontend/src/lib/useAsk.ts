import { useNavigate, useSearch } from '@tanstack/react-router'

/** A question that the address holds open (`ask`), so that a link can lead to it. Nothing is done until it is answered. */
export function useAsk(question: string) {
  const { ask } = useSearch({ strict: false })
  const navigate = useNavigate()
  const set = (wanted?: string) =>
    void navigate({ to: '.', search: (old) => ({ ...old, ask: wanted }), replace: true })
  return { opened: ask === question, open: () => set(question), close: () => set() }
}
