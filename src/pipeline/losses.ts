/** What a sink lost for good: told once, and shown by the ledger until it is read again or given up. */
import { type OwmError, SinkLostError } from '../errors/index.js'
import type { Outbox } from '../outbox/outbox.js'
import { plural } from '../words.js'
import type { Delivered } from './parts.js'

/** Slots that an error names. */
const slotsNamed = 5

/** The error of losses that nobody was told of; from here on they count as told. */
export async function losses(outbox: Outbox, delivered: Delivered): Promise<OwmError[]> {
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
