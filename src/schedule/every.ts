/** Schedules in everyday words. */
import { durationMs } from './duration.js'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/**
 * The cron expression for `hourly`, `daily`, `daily at 6`, `daily at 18:30`, and durations that divide an hour or a day
 * (`15m`, `6h`); undefined for any other text.
 */
export function cronOf(words: string): string | undefined {
  const text = words.trim().toLowerCase()
  const daily = /^daily(?: (?:at )?([01]?\d|2[0-3])(?::([0-5]\d))?)?$/.exec(text)
  if (daily) return `${Number(daily[2] ?? 0)} ${Number(daily[1] ?? 0)} * * *`
  const every = text === 'hourly' ? hour : (durationMs(text) ?? 0)
  if (every === hour) return '0 * * * *'
  if (every === day) return '0 0 * * *'
  if (every >= minute && every < hour && hour % every === 0) return `*/${every / minute} * * * *`
  if (every > hour && every < day && every % hour === 0 && day % every === 0) return `0 */${every / hour} * * *`
  return undefined
}
