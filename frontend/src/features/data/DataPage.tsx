import { useState } from 'react'
import { PageHeader } from '@/components/PageHeader'
import { Empty, Failed, Loading } from '@/components/States'
import { useActiveModel } from '@/lib/api/models'
import { BringRows } from './BringRows'
import { Contradictions } from './Contradictions'
import css from './Data.module.css'
import { Deliveries } from './Deliveries'
import { History } from './History'

function NoTask() {
  return (
    <Empty
      title="No task yet"
      steps={[
        <>
          Add a task: <code>clm task add NAME --model M</code>
        </>,
        'Send its rows here, by command line, over HTTP or through a watched folder',
        'Start an update: the model learns them, and the gate proves that nothing else got worse',
      ]}
    >
      Rows belong to a task: something that the model must be able to do and never lose.
    </Empty>
  )
}

export function DataPage() {
  const { name, model, query } = useActiveModel()
  const [asked, setAsked] = useState('')
  const content = () => {
    if (query.error && !query.data) return <Failed error={query.error} onRetry={query.refetch} />
    if (!query.data) return <Loading heights={[180, 320]} />
    if (!model || model.tasks.length === 0) return <NoTask />
    return (
      <div className={css.stack}>
        <BringRows key={name} model={model} />
        <Contradictions key={`${name} contradictions`} model={model.name} onHistory={setAsked} />
        <History model={model.name} asked={asked} onAsk={setAsked} />
        <Deliveries model={model.name} />
      </div>
    )
  }
  return (
    <>
      <PageHeader title="Data" sub="What came in, what became of it, and which answer counts now." />
      {content()}
    </>
  )
}
