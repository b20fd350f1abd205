/** What is told of the locations that can't be used. */
import { InputRejectedError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { Outbox } from '../../outbox/outbox.js'
import type { LeftRejects } from '../../pipeline/input/left-rejects.js'
import type { Merged, RejectedFor, Rejects } from '../../pipeline/input/rejects.js'
import type { ProduceSummary } from '../../pipeline/produce.js'
import type { Surroundings } from '../compose.js'
import { harmless, plural } from '../format.js'
import type { Served } from './served.js'

/** The parts of a result that are left out where there is nothing to tell. */
interface ToldRejects {
  merged?: number
  rejectedFor?: RejectedFor[]
}

/**
 * Rejected and merged locations are told, whatever the flags are; gives what `--json` has of them.
 * @param slot where it is another one than the start's own
 */
export async function tellRejects(rejects: Rejects, { logger }: Surroundings, slot?: string): Promise<ToldRejects> {
  const { merged } = rejects
  const told: ToldRejects = {}
  if (rejects.count === 0 && !merged) return told
  const log = await logger()
  if (merged) {
    told.merged = merged.count
    log.warn({ event: 'locations-merged' }, harmless(wordsOfMerged(merged)))
  }
  if (rejects.count === 0) return told
  told.rejectedFor = rejects.commonest()
  const fields = { event: 'locations-rejected', ...(slot !== undefined && { slot }) }
  for (const { reason, count: rejected, position, value } of told.rejectedFor) {
    const [why, where, what] = [reason, position, value].map(harmless)
    const of = slot === undefined ? '' : ` of slot ${slot}`
    const were = plural(rejected, `location${of} was rejected`, `locations${of} were rejected`)
    log.warn(fields, `${were}: ${why} (${where}: ${what})`)
  }
  const others = rejects.count - sumOf(told.rejectedFor, ({ count: rejected }) => rejected)
  if (others > 0) {
    const were = plural(others, 'more was rejected for another reason', 'more were rejected for other reasons')
    log.warn(fields, `${were}; \`owm outbox inspect --state rejected\` lists all`)
  }
  return told
}

/** Whoever has an id that owm doesn't know would lose all places but the first. */
function wordsOfMerged({ count: merged, position, keys, values: [before, here] }: Merged): string {
  const where = keys.length === 0 ? position : `${position}, ${keys[0]} ${here}, before it ${before}`
  return (
    `${plural(merged, 'location is', 'locations are')} taken for the same place as one before, ` +
    `although more in their records differs${keys.length === 0 ? '' : `: ${keys.join(', ')}`} (first ${where}); ` +
    `if each is a place of its own, name what tells them apart, source.fields: {id: ${keys[0] ?? 'NAME'}}`
  )
}

/** What earlier starts rejected of runs that this one brought to their end, and didn't tell, since they were killed. */
export async function tellLeft(
  earlier: readonly LeftRejects[],
  served: readonly Served[],
  around: Surroundings,
): Promise<void> {
  for (const { run, rejects } of earlier) {
    const told = await tellRejects(rejects, around, run.slot)
    Object.assign(served.find(({ runId }) => runId === run.runId) ?? {}, told)
  }
}

/**
 * With what earlier starts rejected and didn't tell, since they were killed: `rejects` has it then, too. The outbox
 * remembers what was told of runs that wait for the sink: the start that delivers them doesn't tell it again.
 */
export async function tellAllRejects(
  { run, rejects, earlier, served: slots }: Pick<ProduceSummary, 'run' | 'rejects' | 'earlier' | 'served'>,
  served: readonly Served[],
  outbox: Outbox,
  around: Surroundings,
): Promise<ToldRejects> {
  const isOwn = ({ run: { runId } }: LeftRejects): boolean => runId === run.runId
  const others = earlier.filter((one) => !isOwn(one))
  for (const own of earlier.filter(isOwn)) rejects.include(own.rejects)
  await tellLeft(others, served, around)
  const told = await tellRejects(rejects, around)
  for (const other of others) rejects.include(other.rejects)
  if (slots.some(({ state, rejected }) => state === 'read' && rejected > 0)) await outbox.ledger.noteRejectsTold()
  return told
}

/**
 * With `--strict`.
 * @param rejects of all slots that a start worked on
 * @param slots which those are; undefined where they are not in the outbox
 */
export function rejections(source: string | null, rejects: Rejects, slots?: string): InputRejectedError[] {
  if (rejects.count === 0) return []
  const hint = slots ? '`owm outbox inspect --state rejected` shows which and why.' : 'The reasons are above.'
  const where = slots ? ` in ${slots}: ${rejects.inWords()}` : ''
  const locations = plural(rejects.count, 'location')
  return [new InputRejectedError(`${locations} of the source ${source} can't be used${where}.`, { hint })]
}

/** With `--strict`: what is said of slots that an earlier start served, or another outbox. */
export function rejectedBefore(
  source: string,
  served: readonly { slot: string; rejected: number }[],
): InputRejectedError[] {
  const found = served.filter(({ rejected }) => rejected > 0)
  const [first, last] = [found[0], found.at(-1)]
  if (!first || !last) return []
  const locations = plural(
    sumOf(found, ({ rejected }) => rejected),
    'location',
  )
  const slots = first === last ? `the slot ${first.slot}` : `slots from ${first.slot} to ${last.slot}`
  const hint =
    '`owm outbox inspect --state rejected` shows which and why, with the outbox that served them. ' +
    'Once the list is mended, `owm produce --slot TIME` reads such a slot again.'
  const message = `${locations} of the source ${source} couldn't be used in ${slots}, served before.`
  return [new InputRejectedError(message, { hint })]
}
