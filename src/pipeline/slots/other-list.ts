/** With what a slot was read, where more than once: after an interrupted run, a changed list, or a loss. */
import type { RunRow } from '../../outbox/outbox.js'
import { currentOf } from '../../outbox/runs/whole-slots.js'
import { readStates } from '../../outbox/sqlite/run-states.js'
import { IdSum } from '../../tasks/ids/sum.js'
import { shardNameIn } from '../../tasks/slot.js'

/** How the list of a slot differs from the one that it was served with. */
export interface OtherList {
  /** Locations that earlier runs of the slot served and that are not in the list any more; with `tasks`, at least. */
  readonly absent: number
  /** How many tasks the slot had and has, where it is read once more: which ones it had isn't known any more. */
  readonly tasks?: { readonly before: number; readonly now: number }
}

/** The run that read the whole list where `run`, of the same slot, couldn't be read on; else that one, as it is now. */
export const readInstead = (run: RunRow, ofSlot: readonly RunRow[]): RunRow =>
  ofShard(currentOf(ofSlot), run).at(-1) ?? run

/** @param last the newest run of its slot and shard */
export function otherListOf(last: RunRow, ofSlot: readonly RunRow[]): OtherList | undefined {
  if (!readStates.includes(last.state)) return undefined
  const current = ofShard(currentOf(ofSlot), last)
  const absent = Math.max(0, tasksOf(current.slice(0, -1)) - last.repeated)
  if (absent > 0) return { absent }
  const again = current[0]
  // guard: another-list-again
  if (!again?.again) return undefined
  const replaced = ofShard(currentOf(ofSlot.filter(({ id, state }) => id < again.id && state !== 'missed')), last)
  const [was, is] = [sumOf(replaced), sumOf(current)]
  if (replaced.length === 0 || was === undefined || is === undefined || was === is) return undefined
  const tasks = { before: tasksOf(replaced), now: tasksOf(current) }
  return { absent: Math.max(0, tasks.before - tasks.now), tasks }
}

const ofShard = (runs: readonly RunRow[], { sourceDigest }: RunRow): RunRow[] =>
  runs.filter((run) => shardNameIn(run.sourceDigest) === shardNameIn(sourceDigest))

const tasksOf = (runs: readonly RunRow[]): number => runs.reduce((sum, { persisted }) => sum + persisted, 0)

/** Of the ids of their tasks; undefined where a run of an older version didn't note it. */
function sumOf(runs: readonly RunRow[]): string | undefined {
  const sum = new IdSum()
  for (const { idSum } of runs) {
    if (idSum === null) return undefined
    sum.add(idSum)
  }
  return sum.toString()
}
