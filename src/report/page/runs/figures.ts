/** How late a slot's tasks were delivered, and how fast its list was read. */
import type { ReportRun } from '../../data.js'
import { duration } from '../words.js'

const seconds = (from: string, to: string | null): number =>
  to === null ? Number.NaN : (Date.parse(to) - Date.parse(from)) / 1000

/** Seconds from the slot until all of it that the sink takes was delivered; NaN where it isn't, or all is dead. */
export const lagOf = ({ slot, finishedAt, state, delivered, dead }: ReportRun): number =>
  state === 'done' && (delivered > 0 || dead === 0) ? Math.max(0, seconds(slot, finishedAt)) : Number.NaN

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
