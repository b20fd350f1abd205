/** Runs and gaps as slots: what became of each scheduled time. */
import { compact, sumOf } from '../../../lists.js'
import type { ReportCovered, ReportData, ReportGap, ReportRun } from '../../data.js'
import { count, plural, time } from '../words.js'

type SlotState = 'delivered' | 'dead' | 'open' | 'lost' | 'covered' | 'missed' | 'discarded'

export interface Slot {
  /** Milliseconds since 1970: the slot, or the first and the last of several that were missed. */
  readonly from: number
  readonly to: number
  readonly state: SlotState
  /** One line that says what became of it. */
  readonly text: string
}

export const slotWords: Readonly<Record<SlotState, string>> = {
  delivered: 'delivered',
  dead: 'delivered, with dead letters',
  open: 'not finished',
  lost: 'lost by the sink',
  covered: 'covered by a later run',
  missed: 'missed',
  discarded: 'discarded',
}

/** What matters most of a slot's runs comes first. */
const order: readonly SlotState[] = ['open', 'lost', 'dead', 'delivered', 'covered', 'discarded', 'missed']

export function slotState({ state, dead }: ReportRun): SlotState {
  if (state === 'done') return dead > 0 ? 'dead' : 'delivered'
  if (state === 'lost' || state === 'covered' || state === 'missed' || state === 'discarded') return state
  return 'open'
}

/** The oldest first. */
export function slotsOf({ runs, gaps, covered }: Pick<ReportData, 'runs' | 'gaps' | 'covered'>): Slot[] {
  const bySlot = Map.groupBy(runs, ({ slot }) => slot)
  const slots = [...bySlot].map(([slot, own]): Slot => {
    const states = own.map(slotState)
    const state = order.find((one) => states.includes(one)) ?? 'open'
    const sum = (key: 'stored' | 'delivered' | 'pending' | 'dead' | 'rejected'): number => sumOf(own, (run) => run[key])
    const [stored, pending, dead, rejected] = [sum('stored'), sum('pending'), sum('dead'), sum('rejected')]
    const parts = compact(
      `${time(slot)} UTC: ${slotWords[state]}`,
      stored > 0 && `${count(sum('delivered'))} of ${plural(stored, 'task')} delivered`,
      pending > 0 && `${count(pending)} pending`,
      dead > 0 && `${count(dead)} dead`,
      rejected > 0 && `${count(rejected)} rejected`,
      own.find(({ lastError }) => lastError !== '')?.lastError,
    )
    return { from: Date.parse(slot), to: Date.parse(slot), state, text: parts.join(' · ') }
  })
  const missed = gaps.map((gap) => spanOf(gap, 'missed', `missed (schedule.${gap.reason})`))
  const served = covered.map((span) => spanOf(span, 'covered', `covered by the run of ${time(span.by)}`))
  return [...slots, ...missed, ...served].sort((one, other) => one.from - other.from)
}

function spanOf({ from, to, count }: ReportGap | ReportCovered, state: SlotState, what: string): Slot {
  const when = count === 1 ? time(from) : `${time(from)} to ${time(to)}`
  return { from: Date.parse(from), to: Date.parse(to), state, text: `${when} UTC: ${plural(count, 'slot')} ${what}` }
}
