/** The five fields of a cron expression, for schedulers with a syntax of their own. */
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
  /** Whether the field matches every day. If neither field does, a match of one of the two is enough. */
  readonly anyDay: boolean
  readonly anyWeekday: boolean
  /** Whether the fields above say it all: no last day, second Friday, nearest working day or `+`. */
  readonly isPlain: boolean
  /** Whether its times are fixed: as in cron, a change of the clocks neither skips nor repeats them. */
  readonly isFixed: boolean
}

/** croner's bits for every such weekday of a month: the first to the fifth, and the last. */
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
