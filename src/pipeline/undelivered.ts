/** Errors for tasks that aren't in the sink and won't get there on their own: it refused or lost them. */
import { type OwmError, RefusedError, SinkLostError } from '../errors/index.js'
import { groupedBy, sumOf } from '../lists.js'
import type { RunRow } from '../outbox/outbox.js'
import { shardFlag, shardNameIn } from '../tasks/shard.js'
import { plural } from '../words.js'
import type { Delivered, Deps } from './parts.js'

/** What the sink refused in this start, and what it turned out to have lost. */
export async function undelivered(delivered: Delivered, deps: Deps): Promise<OwmError[]> {
  return [...refusals(delivered, deps), ...(await losses(delivered, deps))]
}

/** A run with dead tasks must not look like a success. */
function refusals({ refused }: Delivered, { sink }: Deps): OwmError[] {
  if (refused === 0) return []
  const what = `The sink ${sink.name} refused ${plural(refused, 'task')} for good`
  return [new RefusedError(`${what}: set aside as dead, the others went on.`, { hint: ofDeadLetters })]
}

/** Slot -> number of tasks, oldest first. */
type TasksBySlot = ReadonlyMap<string, number>

/** Why slots with nothing left to do aren't in the sink as a whole: earlier starts have set tasks aside. */
export function refusedBefore(dead: TasksBySlot, sink: string): OwmError[] {
  if (dead.size === 0) return []
  const tasks = totalOf(dead)
  const what = `${tasksInWords(dead)} ${tasks === 1 ? 'is a dead letter' : 'are dead letters'}`
  const them = tasks === 1 ? 'it' : 'them'
  return [new RefusedError(`${what}: the sink ${sink} had refused ${them} for good.`, { hint: ofDeadLetters })]
}

/**
 * Likewise for slots that another outbox has served, by the sink's receipts.
 * @param flag of this start's shard: see `shardFlag`
 */
export function refusedElsewhere(dead: TasksBySlot, flag: string): OwmError[] {
  const [first] = dead.keys()
  if (first === undefined) return []
  return [
    new RefusedError(`${tasksInWords(dead)}: another outbox has set them aside.`, {
      hint:
        'The sink had refused them. `owm outbox retry`, with that outbox, puts them back; where it is gone, ' +
        `\`owm produce --slot ${first}${flag} --again\` delivers what the sink doesn't hold.`,
    }),
  ]
}

const totalOf = (tasks: TasksBySlot): number => sumOf(tasks.values(), (count) => count)

const tasksInWords = (tasks: TasksBySlot): string =>
  `${plural(totalOf(tasks), 'task')} of the ${slotsInWords([...tasks.keys()])}`

const ofDeadLetters =
  '`owm outbox inspect --state dead` says why; `owm outbox retry` puts them back, ' +
  '`owm outbox purge --dead` gives them up.'

/** The most slots that an error names. */
const slotsNamed = 5

/** `slot A`, `slots A, B and 3 more`. */
function slotsInWords(slots: readonly string[]): string {
  const more = slots.length > slotsNamed ? ` and ${slots.length - slotsNamed} more` : ''
  return `slot${slots.length === 1 ? '' : 's'} ${slots.slice(0, slotsNamed).join(', ')}${more}`
}

/** What the sink lost for good: reported once; the ledger shows it until it is read again or given up. */
async function losses(delivered: Delivered, { outbox, isSharded }: Deps): Promise<OwmError[]> {
  const lost = await outbox.ledger.untoldLosses()
  if (lost.length === 0) return []
  await outbox.ledger.lossesTold(lost)
  const tasks = sumOf(lost, (run) => run.lost)
  delivered.lost = tasks
  const slotsOf = (runs: readonly RunRow[]): string => slotsInWords([...new Set(runs.map(({ slot }) => slot))])
  const { flag, which } = flagsFor(lost, isSharded, slotsOf)
  return [
    new SinkLostError(
      `The sink has lost ${plural(tasks, 'task')} that are too old to be delivered again, ` +
        `no longer kept, or from before another sink's turn: ${slotsOf(lost)}.`,
      {
        hint:
          `\`owm produce --slot TIME${flag} --again\` reads such a slot again under the same task ids${which}; ` +
          '`owm outbox inspect` shows which are lost.',
      },
    ),
  ]
}

/** The flag with which lost slots are read again as they were served, and if they need different ones, each one's. */
function flagsFor(
  lost: readonly RunRow[],
  isSharded: boolean,
  slotsOf: (runs: readonly RunRow[]) => string,
): { flag: string; which: string } {
  const shards = [...groupedBy(lost, (run) => shardNameIn(run.sourceDigest))]
  const [first, second] = shards
  if (!second) return { flag: shardFlag(first?.[0] ?? '', isSharded), which: '' }
  const each = shards.map(([shard, runs]) => `${shardFlag(shard, true).trim()} for ${slotsOf(runs)}`)
  return { flag: ' --shard I/N', which: ` (${each.join(', ')})` }
}
