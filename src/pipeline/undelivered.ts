/** Tasks that aren't in the sink, and won't come there by themselves, as errors: it refused them, or has lost them. */
import { type OwmError, RefusedError, SinkLostError } from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import { plural } from '../words.js'
import type { Delivered, Deps } from './parts.js'

/** What the sink has refused in this start, and what it turned out to have lost. */
export async function undelivered(delivered: Delivered, deps: Deps): Promise<OwmError[]> {
  return [...refusals(delivered, deps), ...(await losses(delivered, deps))]
}

/** Dead tasks aren't in the sink: nobody shall take such a run for a good one. */
function refusals({ refused }: Delivered, { sink }: Deps): OwmError[] {
  if (refused === 0) return []
  const what = `The sink ${sink.name} refused ${plural(refused, 'task')} for good`
  return [new RefusedError(`${what}: set aside as dead, the others went on.`, { hint: ofDeadLetters })]
}

/** Why a slot that nothing is left to do for isn't in the sink as a whole: an earlier start has set tasks aside. */
export async function earlierRefusals(
  ofSlot: readonly RunRow[],
  { refused }: Delivered,
  deps: Deps,
): Promise<OwmError[]> {
  const dead = refused > 0 ? 0 : await deps.outbox.deadLetters.countOf(ofSlot)
  if (dead === 0) return []
  const slot = ofSlot[0]?.slot
  const what = `${plural(dead, 'task')} of the slot ${slot} ${dead === 1 ? 'is a dead letter' : 'are dead letters'}`
  const them = dead === 1 ? 'it' : 'them'
  return [
    new RefusedError(`${what}: the sink ${deps.sink.name} had refused ${them} for good.`, { hint: ofDeadLetters }),
  ]
}

const ofDeadLetters =
  '`owm outbox inspect --state dead` says why; `owm outbox retry` puts them back, ' +
  '`owm outbox purge --dead` gives them up.'

/** Slots that an error names. */
const slotsNamed = 5

/** What the sink lost for good is told once, and shown by the ledger until it is read again or given up. */
async function losses(delivered: Delivered, { outbox }: Deps): Promise<OwmError[]> {
  const lost = await outbox.ledger.untoldLosses()
  if (lost.length === 0) return []
  await outbox.ledger.lossesTold(lost)
  const tasks = lost.reduce((sum, run) => sum + run.lost, 0)
  delivered.lost = tasks
  const slots = [...new Set(lost.map(({ slot }) => slot))]
  const named = slots.slice(0, slotsNamed).join(', ')
  const more = slots.length > slotsNamed ? ` and ${slots.length - slotsNamed} more` : ''
  return [
    new SinkLostError(
      `The sink has lost ${plural(tasks, 'task')} that are too old to be delivered again, ` +
        `no longer kept, or from before another sink's turn: slot${slots.length === 1 ? '' : 's'} ${named}${more}.`,
      {
        hint:
          '`owm produce --slot TIME --again` reads such a slot again under the same task ids; ' +
          '`owm outbox inspect` shows which are lost.',
      },
    ),
  ]
}
