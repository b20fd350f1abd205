/** What is told of the locations that can't be used. */
import { InputRejectedError } from '../../errors/index.js'
import type { Merged, RejectedFor, Rejects } from '../../pipeline/input/rejects.js'
import type { Surroundings } from '../compose.js'
import { count, harmless, plural } from '../format.js'

/** The parts of a result that are left out where there is nothing to tell. */
export interface ToldRejects {
  merged?: number
  rejectedFor?: RejectedFor[]
}

/** Rejected and merged locations are told, whatever the flags are; gives what `--json` has of them. */
export async function tellRejects(rejects: Rejects, { logger }: Surroundings): Promise<ToldRejects> {
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
  for (const { reason, count: rejected, position, value } of told.rejectedFor) {
    const [why, where, what] = [reason, position, value].map(harmless)
    const were = rejected === 1 ? 'location was rejected' : 'locations were rejected'
    log.warn({ event: 'locations-rejected' }, `${count(rejected)} ${were}: ${why} (${where}: ${what})`)
  }
  return told
}

/** Whoever has an id that owm doesn't know would lose all places but the first. */
function wordsOfMerged({ count: merged, position, keys, values: [before, here] }: Merged): string {
  const where = keys.length === 0 ? position : `${position}, ${keys[0]} ${here}, before it ${before}`
  return (
    `${plural(merged, 'location')} ${merged === 1 ? 'is' : 'are'} taken for the same place as one before, ` +
    `although more in their records differs${keys.length === 0 ? '' : `: ${keys.join(', ')}`} (first ${where}); ` +
    `if each is a place of its own, name what tells them apart, source.fields: {id: ${keys[0] ?? 'NAME'}}`
  )
}

/** @param inOutbox whether they are stored there */
export function rejections(
  { name, rejected }: { name: string | null; rejected: number },
  strict: boolean,
  inOutbox = true,
): InputRejectedError[] {
  if (!strict || rejected === 0) return []
  const hint = inOutbox ? '`owm outbox inspect --state rejected` shows which and why.' : 'The reasons are above.'
  return [new InputRejectedError(`${plural(rejected, 'location')} of the source ${name} can't be used.`, { hint })]
}
