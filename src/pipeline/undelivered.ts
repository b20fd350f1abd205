/** Tasks that aren't in the sink, and won't come there by themselves, as errors: it refused them, or has lost them. */
import { type OwmError, RefusedError, SinkLostError } from '../errors/index.js'
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

/** How many tasks of which slots, the oldest first. */
type OfSlots = ReadonlyMap<string, number>

/** Why slots that nothing is left to do for aren't in the sink as a whole: earlier starts have set tasks aside. */
export function refusedBefore(dead: OfSlots, sink: string): OwmError[] {
  if (dead.size === 0) return []
  const tasks = sumOf(dead)
  const what = `${inWords(dead)} ${tasks === 1 ? 'is a dead letter' : 'are dead letters'}`
  const them = tasks === 1 ? 'it' : 'them'
  return [new RefusedError(`${what}: the sink ${sink} had refused ${them} for good.`, { hint: ofDeadLetters })]
}

/** Likewise, where the sink's receipts tell of them: another outbox has served these slots. */
export function refusedElsewhere(dead: OfSlots): OwmError[] {
  const [first] = dead.keys()
  if (first === undefined) return []
  return [
    new RefusedError(`${inWords(dead)}: another outbox has set them aside.`, {
      hint:
        'The sink had refused them. `owm outbox retry`, with that outbox, puts them back; where it is gone, ' +
        `\`owm produce --slot ${first} --again\` delivers what the sink doesn't hold.`,
    }),
  ]
}

const sumOf = (tasks: OfSlots): number => [...tasks.values()].reduce((sum, one) => sum + one, 0)

const inWords = (tasks: OfSlots): string => `${plural(sumOf(tasks), 'task')} of the ${slotsInWords([...tasks.keys()])}`

const ofDeadLetters =
  '`owm outbox inspect --state dead` says why; `owm outbox retry` puts them back, ' +
  '`owm outbox purge --dead` gives them up.'

/** Slots that an error names. */
const slotsNamed = 5

/** `slot A`, `slots A, B and 3 more`. */
function slotsInWords(slots: readonly string[]): string {
  const more = slots.length > slotsNamed ? ` and ${slots.length - slotsNamed} more` : ''
  return `slot${slots.length === 1 ? '' : 's'} ${slots.slice(0, slotsNamed).join(', ')}${more}`
}

/** What the sink lost for good is told once, and shown by the ledger until it is read again or given up. */
async function losses(delivered: Delivered, { outbox }: Deps): Promise<OwmError[]> {
  const lost = await outbox.ledger.untoldLosses()
  if (lost.length === 0) return []
  await outbox.ledger.lossesTold(lost)
  const tasks = lost.reduce((sum, run) => sum + run.lost, 0)
  delivered.lost = tasks
  const slots = [...new Set(lost.map(({ slot }) => slot))]
  return [
    new SinkLostError(
      `The sink has lost ${plural(tasks, 'task')} that are too old to be delivered again, ` +
        `no longer kept, or from before another sink's turn: ${slotsInWords(slots)}.`,
      {
        hint:
          '`owm produce --slot TIME --again` reads such a slot again under the same task ids; ' +
          '`owm outbox inspect` shows which are lost.',
      },
    ),
  ]
}
