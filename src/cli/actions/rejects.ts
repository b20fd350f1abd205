/** Logs rejected and merged locations; the errors of `--strict`. */
import { InputRejectedError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { Outbox } from '../../outbox/outbox.js'
import type { LeftRejects } from '../../pipeline/input/left-rejects.js'
import type { Merged, RejectedFor, Rejects } from '../../pipeline/input/rejects.js'
import type { ProduceSummary } from '../../pipeline/produce.js'
import type { Surroundings } from '../compose.js'
import { harmless, plural } from '../format.js'
import type { Served } from './delivery.js'

/** Keys of a result; each is left out if it is empty. */
interface RejectsResult {
  merged?: number
  rejectedFor?: RejectedFor[]
}

/**
 * Logs rejected and merged locations, whatever the flags are; returns them for `--json`.
 * @param slot if it isn't the start's own
 */
export async function logRejects(rejects: Rejects, { logger }: Surroundings, slot?: string): Promise<RejectsResult> {
  const { merged } = rejects
  const result: RejectsResult = {}
  if (rejects.count === 0 && !merged) return result
  const log = await logger()
  if (merged) {
    result.merged = merged.count
    log.warn({ event: 'locations-merged' }, harmless(mergedInWords(merged)))
  }
  if (rejects.count === 0) return result
  result.rejectedFor = rejects.commonest()
  const fields = { event: 'locations-rejected', ...(slot !== undefined && { slot }) }
  for (const { reason, count: rejected, position, value } of result.rejectedFor) {
    const [why, where, what] = [reason, position, value].map(harmless)
    const ofSlot = slot === undefined ? '' : ` of slot ${slot}`
    const were = plural(rejected, `location${ofSlot} was rejected`, `locations${ofSlot} were rejected`)
    log.warn(fields, `${were}: ${why} (${where}: ${what})`)
  }
  const others = rejects.count - sumOf(result.rejectedFor, ({ count: rejected }) => rejected)
  if (others > 0) {
    const were = plural(others, 'more was rejected for another reason', 'more were rejected for other reasons')
    log.warn(fields, `${were}; \`owm outbox inspect --state rejected\` lists all`)
  }
  return result
}

/** Distinct places look like one if the list's id column isn't mapped: says so. */
function mergedInWords({ count: merged, position, keys, values: [before, here] }: Merged): string {
  const where = keys.length === 0 ? position : `${position}, ${keys[0]} ${here}, before it ${before}`
  return (
    `${plural(merged, 'location is', 'locations are')} taken for the same place as one before, ` +
    `although more in their records differs${keys.length === 0 ? '' : `: ${keys.join(', ')}`} (first ${where}); ` +
    `if each is a place of its own, name what tells them apart, source.fields: {id: ${keys[0] ?? 'NAME'}}`
  )
}

/** Logs rejects of earlier starts that were killed before they could, of runs that this start finished. */
export async function logLeftRejects(
  earlier: readonly LeftRejects[],
  served: readonly Served[],
  around: Surroundings,
): Promise<void> {
  for (const { run, rejects } of earlier) {
    const result = await logRejects(rejects, around, run.slot)
    Object.assign(served.find(({ runId }) => runId === run.runId) ?? {}, result)
  }
}

/**
 * Logs all rejects of a start, and adds to `rejects` those of earlier starts that were killed before they could log
 * them. The outbox remembers which were logged of runs that wait for the sink: the start that delivers them doesn't
 * repeat them.
 */
export async function logAllRejects(
  { run, rejects, earlier, served: slots }: Pick<ProduceSummary, 'run' | 'rejects' | 'earlier' | 'served'>,
  served: readonly Served[],
  outbox: Outbox,
  around: Surroundings,
): Promise<RejectsResult> {
  const isOwn = ({ run: { runId } }: LeftRejects): boolean => runId === run.runId
  const others = earlier.filter((one) => !isOwn(one))
  for (const own of earlier.filter(isOwn)) rejects.include(own.rejects)
  await logLeftRejects(others, served, around)
  const result = await logRejects(rejects, around)
  for (const other of others) rejects.include(other.rejects)
  if (slots.some(({ state, rejected }) => state === 'read' && rejected > 0)) await outbox.ledger.noteRejectsTold()
  return result
}

/**
 * The error of `--strict`.
 * @param rejects of all slots that a start worked on
 * @param slots which those are; undefined if they are not in the outbox
 */
export function rejections(source: string | null, rejects: Rejects, slots?: string): InputRejectedError[] {
  if (rejects.count === 0) return []
  const hint = slots ? '`owm outbox inspect --state rejected` shows which and why.' : 'The reasons are above.'
  const where = slots ? ` in ${slots}: ${rejects.inWords()}` : ''
  const locations = plural(rejects.count, 'location')
  return [new InputRejectedError(`${locations} of the source ${source} can't be used${where}.`, { hint })]
}

/**
 * The error of `--strict` for slots that an earlier start or another outbox served.
 * @param flag of this start's shard: see `shardFlag`
 */
export function rejectedBefore(
  source: string,
  served: readonly { slot: string; rejected: number }[],
  flag: string,
): InputRejectedError[] {
  const affected = served.filter(({ rejected }) => rejected > 0)
  const [first, last] = [affected[0], affected.at(-1)]
  if (!first || !last) return []
  const locations = plural(
    sumOf(affected, ({ rejected }) => rejected),
    'location',
  )
  const slots = first === last ? `the slot ${first.slot}` : `slots from ${first.slot} to ${last.slot}`
  const hint =
    '`owm outbox inspect --state rejected` shows which and why, with the outbox that served them. ' +
    `Once the list is fixed, \`owm produce --slot TIME${flag}\` reads such a slot again.`
  const message = `${locations} of the source ${source} couldn't be used in ${slots}, served before.`
  return [new InputRejectedError(message, { hint })]
}
