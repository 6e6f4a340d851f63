import { Link } from '@tanstack/react-router'
import { Icon } from '@/components/Icon'
import { Panel } from '@/components/Panel'
import { RunProgress } from '@/components/RunProgress'
import { StageDots } from '@/components/StageDots'
import { Nothing } from '@/components/States'
import { Status } from '@/components/Status'
import { updateLook } from '@/components/status'
import { Time } from '@/components/Time'
import type { Overview, Update } from '@/lib/api/types'
import css from './Home.module.css'

export function RunningPanel({ update }: { update: Update | null }) {
  return (
    <Panel title="Running update" note={update ? <StageDots stages={update.stages} /> : null}>
      {update ? (
        <div className={css.running}>
          <div className={css.runHead}>
            <Link to="/updates/$id" params={{ id: update.id }} search={true}>
              {update.task}
            </Link>
            <Status look={updateLook(update.state)} />
          </div>
          <RunProgress update={update} />
        </div>
      ) : (
        <Nothing>Nothing is running. New data starts an update by itself.</Nothing>
      )}
    </Panel>
  )
}

export function AttentionPanel({ items }: { items: Overview['attention'] }) {
  return (
    <Panel title="Needs attention" note={items.length > 0 ? items.length : null}>
      {items.length === 0 ? (
        <Nothing>Nothing needs you.</Nothing>
      ) : (
        <ul className={css.list}>
          {items.map((item) => (
            <li key={item.sentence}>
              <span className={css.item} data-level={item.level}>
                <Icon name="alert" size={15} />
                {item.link ? <Link to={item.link}>{item.sentence}</Link> : <span>{item.sentence}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

export function EventsPanel({ events }: { events: Overview['events'] }) {
  return (
    <Panel title="Last events">
      {events.length === 0 ? (
        <Nothing>Nothing has happened yet.</Nothing>
      ) : (
        <ul className={css.list}>
          {events.map((event) => (
            <li key={event.sequence} className={css.event}>
              <span>{event.sentence}</span>
              <span className={css.who}>
                {event.actor} · <Time at={event.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}
