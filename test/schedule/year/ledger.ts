/** Reads an outbox's ledger with SQL of its own, and checks that intervals follow one another. */
import { existsSync } from 'node:fs'
import { openDatabase } from '../../support/contents.js'

export interface Run {
  readonly runId: string
  readonly slot: string
  readonly state: string
  /** Tasks. */
  readonly stored: number
  /** Windows. */
  readonly skipped: number
  /** Milliseconds since 1970; null if another run has its interval. */
  readonly from: number | null
}

export interface Gap {
  readonly id: number
  readonly from: string
  readonly to: string
}

export interface LedgerSeen {
  readonly coveredTo: number | null
  /** Runs of slots up to this one may be deleted; null if none is. */
  readonly deletedTo: string | null
  readonly pending: number
  readonly runs: readonly Run[]
  readonly gaps: readonly Gap[]
}

/** Undefined if there is no outbox. */
export async function ledgerIn(path: string): Promise<LedgerSeen | undefined> {
  if (!existsSync(path)) return undefined
  const all = await openDatabase(path)
  try {
    const [state] = await all<Pick<LedgerSeen, 'coveredTo' | 'deletedTo' | 'pending'>>(
      'SELECT covered_to AS coveredTo, newest_deleted_slot AS deletedTo, last_seq - handed_seq AS pending FROM state',
    )
    return {
      ...(state ?? { coveredTo: null, deletedTo: null, pending: 0 }),
      runs: await all<Run>(
        `SELECT run_id AS runId, slot, state, persisted AS stored, skipped, interval_from AS "from"
          FROM run ORDER BY id`,
      ),
      gaps: await all<Gap>('SELECT id, first_slot AS "from", last_slot AS "to" FROM gap ORDER BY id'),
    }
  } finally {
    await all.close()
  }
}

/** Whether intervals overlap or leave a hole: those of all the runs that one outbox ever had. */
export function mistakesIn(runs: Iterable<Run>, coveredTo: number | null): string[] {
  const own = [...runs].filter(({ from }) => from !== null).sort((a, b) => Date.parse(a.slot) - Date.parse(b.slot))
  const mistakes = own.flatMap(({ slot, from }, index) => {
    const before = own[index - 1]
    return before && from !== Date.parse(before.slot)
      ? [`the interval of ${slot} begins at ${new Date(from ?? 0).toISOString()}, not at ${before.slot}`]
      : []
  })
  const last = own.at(-1)
  if (last && Date.parse(last.slot) !== coveredTo) mistakes.push(`the ledger ends at ${coveredTo}, not at ${last.slot}`)
  return mistakes
}
