/** Compares the lists of a slot that was read more than once: after an interruption, a changed list, or a loss. */
import { InputRejectedError, type OwmError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { RunRow } from '../../outbox/outbox.js'
import { readStates } from '../../outbox/runs/run-states.js'
import { currentOf, isNoted } from '../../outbox/runs/whole-slots.js'
import type { Windows } from '../../outbox/runs/windows.js'
import type { Receipt } from '../../plugin.js'
import { SeenIds } from '../../tasks/ids/seen.js'
import { IdSum, sumOfKnown } from '../../tasks/ids/sum.js'
import { flagOfDigest, isSameShard, shardOf } from '../../tasks/shard.js'
import { slotOf } from '../../tasks/slot.js'
import { plural } from '../../words.js'
import { cadenceOf, dueIn } from '../input/cadence.js'
import { checkedIn, textJudgeIn } from '../input/judge.js'
import { pagesOf } from '../input/pages.js'
import type { ProduceDeps, SourceDeps } from '../parts.js'
import { refusedElsewhere } from '../undelivered.js'
import type { RunSettings } from './agenda.js'
import { ownReceipt } from './in-sink.js'

/** How the list of a slot differs from the one that it was served with. */
export interface OtherList {
  /** Locations that earlier runs of the slot served and that are no longer in the list; with `tasks`, at least. */
  readonly absent: number
  /** The number of tasks before and now, if the slot is read again: which ones it had is no longer known. */
  readonly tasks?: { readonly before: number; readonly now: number }
}

/** The run that read the whole list instead of `run`, if that couldn't be continued; else `run`, as it is now. */
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
  const replaced = ofShard(currentOf(ofSlot.filter((run) => run.id < again.id && hasList(run))), last)
  const [was, is] = [idSumOf(replaced), idSumOf(current)]
  if (replaced.length === 0 || was === null || is === null || was === is) return undefined
  const tasks = { before: tasksOf(replaced), now: tasksOf(current) }
  return { absent: Math.max(0, tasks.before - tasks.now), tasks }
}

/** A run that was closed without reading its list to the end has none to compare with. */
const hasList = (run: RunRow): boolean =>
  run.state !== 'missed' && (run.state !== 'discarded' || run.readAt !== null) && !isNoted(run)

const ofShard = (runs: readonly RunRow[], run: RunRow): RunRow[] => runs.filter((other) => isSameShard(other, run))

const tasksOf = (runs: readonly RunRow[]): number => sumOf(runs, ({ persisted }) => persisted)

/** The sum of the ids of their tasks; null if a run of an older version has none. */
const idSumOf = (runs: readonly RunRow[]): string | null => sumOfKnown(runs.map(({ idSum }) => idSum))

/**
 * The error of a slot that the sink has a receipt of, but of another list; undefined for other slots. (Another project
 * may have a pipeline of the same name or path.) Reads the list. Throws errors of the source.
 * @param run as noted from the receipts
 */
export async function servedOtherwise(
  run: RunRow,
  receipts: readonly Receipt[],
  { outbox, pipeline, source, isSharded, signal }: ProduceDeps,
  settings: RunSettings,
): Promise<OwmError | undefined> {
  const receipt = ownReceipt(receipts, shardOf(source.digest))
  if (run.state !== 'done' || !isNoted(run) || !receipt) return undefined
  const { slot } = run
  const flag = flagOfDigest(source.digest, isSharded)
  // guard: dead-elsewhere
  if (receipt.dead > 0) return refusedElsewhere(new Map([[slot, receipt.dead]]), flag)[0]
  // With a cadence, the interval decides which windows it had.
  const isSame = run.intervalFrom !== null && slotOf(run.intervalFrom) === receipt.interval?.from
  if (settings.cadence !== null && !isSame) return undefined
  const list = await sumOfList(source, { ...run, ...settings }, await outbox.ledger.windowsOf(run), signal)
  // guard: list-of-receipt
  if (signal.aborted || list.sum === receipt.taskIdSum) return undefined
  const had = receipt.delivered + receipt.dead + receipt.discarded
  return new InputRejectedError(
    `The sink has the slot ${slot} of ${pipeline} from another list: that one had ${plural(had, 'task')}, ` +
      `this one has ${list.tasks}${list.tasks === had ? ' others' : ''}.`,
    {
      hint:
        'Where another project has a pipeline of this name, or its configuration under this path, name this one ' +
        'under `pipelines:`, or give it a stream of its own. Where it is the same list, which has changed, ' +
        `\`owm produce --slot ${slot}${flag} --again\` delivers what the sink doesn't hold.`,
    },
  )
}

/** How many ids the list has for a run, and their sum. Reads the list a second time if ids may occur twice. */
async function sumOfList(
  source: SourceDeps,
  run: RunRow,
  windows: Windows,
  signal: AbortSignal,
): Promise<{ tasks: number; sum: string }> {
  const [sum, seen, suspects] = [new IdSum(), new SeenIds(), new Map<string, number>()]
  let tasks = 0
  const add = (digits: string): void => {
    sum.addDigits(digits)
    tasks++
  }
  for await (const { digits } of tasksListed(source, run, windows, signal))
    if (seen.add(digits)) suspects.set(digits, 0)
    else add(digits)
  if (suspects.size > 0)
    for await (const { digits } of tasksListed(source, run, windows, signal)) {
      const times = suspects.get(digits)
      if (times !== undefined) suspects.set(digits, times + 1)
    }
  for (const [digits, times] of suspects) if (times === 1) add(digits)
  return { tasks, sum: sum.toString() }
}

/** The tasks of the source's list for a run, with the digits of their ids; some may come twice. */
export async function* tasksListed(
  source: SourceDeps,
  run: RunRow,
  windows: Windows,
  signal: AbortSignal,
): AsyncGenerator<{ digits: string; text: string }> {
  const judge = textJudgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace)
  for await (const page of pagesOf(source, { signal }))
    for (const [index, location] of page.locations.entries()) {
      const judged = judge(location, checkedIn(page, index))
      if (judged !== 'not due' && 'text' in judged) yield judged
    }
}
