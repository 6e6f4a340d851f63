import { useNavigate } from '@tanstack/react-router'
import { Icon } from '@/components/Icon'
import { useActiveModel } from '@/lib/api/models'
import type { Model } from '@/lib/api/types'
import css from './Shell.module.css'

const note = (model: Model): string =>
  [
    `${model.tasks.length} ${model.tasks.length === 1 ? 'task' : 'tasks'}`,
    ...(model.demo ? ['demo data'] : []),
  ].join(' · ')

function Name({ model }: { model: Model }) {
  return (
    <span className={css.modelText}>
      <span className={css.modelName}>{model.name}</span>
      <span className={css.modelNote}>{note(model)}</span>
    </span>
  )
}

/** The model that the pages are about; a list to choose from where there are several. It stands in the URL. */
export function ModelSwitcher() {
  const { model, models } = useActiveModel()
  const navigate = useNavigate()
  if (!model) return null
  if (models.length === 1) {
    return (
      <div className={css.model}>
        <Name model={model} />
      </div>
    )
  }
  return (
    <div className={css.model}>
      <Name model={model} />
      <Icon name="chevron" size={15} />
      <select
        className={css.modelSelect}
        aria-label="Model"
        value={model.name}
        onChange={(event) => navigate({ to: '.', search: (old) => ({ ...old, model: event.target.value }) })}
      >
        {models.map((other) => (
          <option key={other.name} value={other.name}>
            {other.name}
          </option>
        ))}
      </select>
    </div>
  )
}
