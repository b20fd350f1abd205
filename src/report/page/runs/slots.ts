/** Runs and gaps as slots: what became of each scheduled time. */
import type { ReportCovered, ReportData, ReportGap, ReportRun } from '../../data.js'
import { count, duration, plural, time } from '../words.js'

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
    const sum = (of: (run: ReportRun) => number): number => own.reduce((all, run) => all + of(run), 0)
    const parts = [
      `${time(slot)} UTC: ${slotWords[state]}`,
      ...(sum(({ stored }) => stored) > 0
        ? [
            `${count(sum(({ delivered }) => delivered))} of ${plural(
              sum(({ stored }) => stored),
              'task',
            )} delivered`,
          ]
        : []),
      ...(sum(({ pending }) => pending) > 0 ? [`${count(sum(({ pending }) => pending))} pending`] : []),
      ...(sum(({ dead }) => dead) > 0 ? [`${count(sum(({ dead }) => dead))} dead`] : []),
      ...(sum(({ rejected }) => rejected) > 0 ? [`${count(sum(({ rejected }) => rejected))} rejected`] : []),
      ...own.flatMap(({ lastError }) => (lastError === '' ? [] : [lastError])).slice(0, 1),
    ]
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

const seconds = (from: string, to: string | null): number =>
  to === null ? Number.NaN : (Date.parse(to) - Date.parse(from)) / 1000

/** Seconds from the slot until all of it was delivered; NaN where it isn't. */
export const lagOf = ({ slot, finishedAt, state }: ReportRun): number =>
  state === 'done' ? Math.max(0, seconds(slot, finishedAt)) : Number.NaN

/** Locations read a second, from the run's start to the source's end; NaN where that isn't known. */
export function rateOf({ read, startedAt, readAt, finishedAt }: ReportRun): number {
  const took = seconds(startedAt, readAt ?? finishedAt)
  return read > 0 && !Number.isNaN(took) ? read / Math.max(0.001, took) : Number.NaN
}

/** `median 12 s, at most 3 min`; undefined where there is no number. */
export function summaryOf(values: readonly number[], words = duration): string | undefined {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const [median, last] = [sorted[sorted.length >> 1], sorted.at(-1)]
  return median === undefined || last === undefined ? undefined : `median ${words(median)}, at most ${words(last)}`
}
