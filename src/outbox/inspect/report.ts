/** What a report shows of an outbox, from one snapshot. Reads only. */
import { IsNull, Not } from 'typeorm'
import { type Reasons, reasonsOf } from '../runs/reasons.js'
import { runs } from '../sqlite/entities.js'
import { has } from '../sqlite/since.js'
import { countRuns, factsIn, type Gap, gapsIn, type RunFacts } from './ledger/facts.js'
import { type NewestPlaces, newestPlacesIn } from './tasks/newest.js'
import { type BreakerReport, breakersIn, oldestPendingIn, ownerIn, type Totals, totalsIn } from './totals.js'
import { read, type View } from './view.js'

export interface Overview {
  owner: string | null
  totals: Totals
  oldestPendingAt: string | null
  breakers: BreakerReport[]
  /** The newest first. `isCovered`: it stored nothing, and a later slot's run serves its slot. */
  runs: (RunFacts & { isCovered: boolean })[]
  /** How many runs the ledger has. */
  allRuns: number
  /** The newest first. */
  gaps: Gap[]
  reasons: Reasons
  newest: NewestPlaces
}

/** Undefined if there is no outbox, or nothing in it yet. Throws OutboxError. */
export async function overviewOf(path: string, most: { runs: number; places: number }): Promise<Overview | undefined> {
  return read(path, async (view) => {
    const facts = await factsIn(view, {}, most.runs)
    const covered = await coveredIn(view)
    return {
      owner: await ownerIn(view),
      totals: await totalsIn(view),
      oldestPendingAt: await oldestPendingIn(view),
      breakers: await breakersIn(view),
      runs: facts.map((run) => ({ ...run, isCovered: covered.has(run.runId) })),
      allRuns: await countRuns(view, {}),
      gaps: (await gapsIn(view)).slice(0, most.runs),
      reasons: await reasonsOf(
        view,
        facts.map(({ runId }) => runId),
      ),
      newest: await newestPlacesIn(view, most.places),
    }
  })
}

async function coveredIn({ manager, version }: View): Promise<Set<string>> {
  if (!has(version, 'coveredBy')) return new Set()
  const rows = await manager.find(runs, { select: { id: true, runId: true }, where: { coveredBy: Not(IsNull()) } })
  return new Set(rows.map(({ runId }) => runId))
}
