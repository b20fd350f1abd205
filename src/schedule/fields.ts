/** What stands in the five fields of a cron expression, for schedulers that are told it in their own words. */
import { CronPattern } from 'croner'

interface Fields {
  /** 0 to 59. */
  readonly minutes: readonly number[]
  /** 0 to 23. */
  readonly hours: readonly number[]
  /** 1 to 31. */
  readonly days: readonly number[]
  /** 1 to 12. */
  readonly months: readonly number[]
  /** 0 (Sunday) to 6. */
  readonly weekdays: readonly number[]
  /** Whether the days say nothing: where both do say something, one of them is enough. */
  readonly anyDay: boolean
  readonly anyWeekday: boolean
  /** Whether this is all of the meaning: no last day, second Friday, nearest working day or `+`. */
  readonly isPlain: boolean
  /** Whether its hours are fixed times, which a change of the clocks neither takes away nor doubles, as cron has it. */
  readonly isFixed: boolean
}

/** croner's mark of a weekday that is meant each time: the first five of a month and the last. */
const eachTime = 0b111111

/** @param cron a valid expression */
export function fieldsOf(cron: string): Fields {
  const pattern = new CronPattern(cron, undefined, { mode: '5-part', fixedTimeRule: 'no-wildcard' })
  const { lastDayOfMonth, lastWeekday, nearestWeekdays, useAndLogic, dayOfWeek } = pattern
  const isSpecial = lastDayOfMonth || lastWeekday || useAndLogic || nearestWeekdays.some(Boolean)
  return {
    minutes: marked(pattern.minute),
    hours: marked(pattern.hour),
    days: marked(pattern.day, 1),
    months: marked(pattern.month, 1),
    weekdays: marked(dayOfWeek),
    anyDay: pattern.starDOM,
    anyWeekday: pattern.starDOW,
    isPlain: !isSpecial && dayOfWeek.every((times) => times === 0 || times === eachTime),
    isFixed: pattern.isFixedTime,
  }
}

const marked = (marks: readonly number[], first = 0): number[] =>
  marks.flatMap((mark, index) => (mark ? [index + first] : []))
