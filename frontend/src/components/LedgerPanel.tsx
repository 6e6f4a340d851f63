import type { Ledger, Model } from '@/lib/api/types'
import { release, score, signed, time } from '@/lib/format'
import { type Matrix, matrix, worstDrop } from '@/lib/ledger'
import { type Aliases, LedgerTable } from './LedgerTable'
import css from './LedgerTable.module.css'
import { Panel } from './Panel'
import { Nothing } from './States'

type Props = { ledger: Ledger | null; aliases: Aliases; model: Model | undefined }

function Summary({ ledger, table }: { ledger: Ledger; table: Matrix }) {
  const worst = worstDrop(table)
  return (
    <dl className={css.summary}>
      <div
        title={`Mean score of the serving release over all tasks${ledger.weighted ? ', by their weights' : ''}`}
      >
        <dt>{ledger.weighted ? 'Weighted average' : 'Average performance'}</dt>
        <dd>{score(ledger.average_performance)}</dd>
      </div>
      <div title="Mean change of each task since it was learned; negative means that something was forgotten">
        <dt>Backward transfer</dt>
        <dd>{signed(ledger.backward_transfer, 3)}</dd>
      </div>
      <div title="Mean gain on each task before it was learned, against the untouched base">
        <dt>Forward transfer</dt>
        <dd>{signed(ledger.forward_transfer, 3)}</dd>
      </div>
      <div title="Mean loss of each task against its best score ever">
        <dt>Forgetting</dt>
        <dd>{ledger.forgetting === null ? '–' : ledger.forgetting.toFixed(3)}</dd>
      </div>
      <div title="The largest loss that a release brought, against the best release before it">
        <dt>Worst drop</dt>
        <dd>{worst ? `${signed(worst.delta)} ${worst.task}, ${release(worst.number)}` : 'none'}</dd>
      </div>
      {ledger.general_change === null ? null : (
        <div title="Mean change, against the untouched base, of suites that no release was taught">
          <dt>General ability</dt>
          <dd>{signed(ledger.general_change, 3)}</dd>
        </div>
      )}
    </dl>
  )
}

/** The ledger as a heat-map, with the numbers that sum it up. */
export function LedgerPanel({ ledger, aliases, model }: Props) {
  if (!ledger || ledger.tasks.every((task) => task.cells.length === 0)) {
    return (
      <Panel title="Ledger">
        <Nothing>No task has been scored yet. The first update fills this table.</Nothing>
      </Panel>
    )
  }
  const margins = Object.fromEntries(
    (model?.tasks ?? []).map((task) => [task.name, task.margin ?? model?.policy.gate.margin]),
  )
  const weights = Object.fromEntries((model?.tasks ?? []).map((task) => [task.name, task.weight]))
  const table = matrix(ledger, margins, weights)
  return (
    <Panel
      title="Ledger: every task under every release"
      note={ledger.as_of ? `as of ${time(ledger.as_of)}` : null}
      flush
    >
      <LedgerTable
        matrix={table}
        averaged={ledger.weighted ? 'Weighted average' : 'Average'}
        aliases={aliases}
      />
      <Summary ledger={ledger} table={table} />
      <p className={css.key}>
        Change against the best earlier release:
        <span className={css.swatch} data-kind="up" />
        gain
        <span className={css.swatch} data-kind="down" />
        loss
        <span className={css.swatch} data-kind="none" />
        not evaluated
        {table.hidden > 0
          ? ` · the last ${table.columns.length} of ${table.columns.length + table.hidden} shown`
          : null}
      </p>
    </Panel>
  )
}
