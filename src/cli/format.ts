/** Numbers and texts as people read them. */
import { compact } from '../lists.js'
import { count, plural } from '../words.js'

// Re-exported, so that the command line has one module for both.
export { age, count, harmless, harmlessJson, megabytes, plural } from '../words.js'

/** `1.4 s`, `12 s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`
}

/** Gives the milliseconds since this call. Without `performance`, whose modules take Node a millisecond to load. */
export function stopwatch(): () => number {
  const started = process.uptime()
  return () => Math.round((process.uptime() - started) * 1000)
}

/** An option's default as it would be written; `required` if it has none and needs a value, else ''. */
export function defaultOf(option: { default?: unknown; required: boolean }): string {
  if (option.default === undefined) return option.required ? 'required' : ''
  return typeof option.default === 'string' ? option.default : JSON.stringify(option.default)
}

interface Read {
  read: number
  leftOut?: number
  limitReached?: boolean
}

interface Delivered {
  name: string | null
  delivered: number
  deduplicated: number
  evicted: number
}

/** `50 locations read (950 left out by filters)` */
export function locationsRead({ read, leftOut = 0, limitReached = false }: Read): string {
  const filters = compact(leftOut > 0 && `${count(leftOut)} left out by filters`, limitReached && 'limit reached')
  return `${plural(read, 'location')} read${filters.length > 0 ? ` (${filters.join(', ')})` : ''}`
}

/**
 * `20 tasks delivered to redis-stream, 3 were there already`
 * @param isOptional omit the count if it is 0
 */
export function tasksDelivered({ name, delivered, deduplicated, evicted }: Delivered, isOptional = false): string[] {
  return compact(
    (delivered > 0 || !isOptional) && `${plural(delivered, 'task')} delivered to ${name}`,
    deduplicated > 0 && `${count(deduplicated)} were there already`,
    evicted > 0 && `${count(evicted)} entries trimmed that are not known to have been read`,
  )
}

/** `2 pending`, `1 dead`; what is 0 is left out. */
export const leftIn = ({ pending, dead }: { pending: number; dead: number }): string[] =>
  compact(pending > 0 && `${count(pending)} pending`, dead > 0 && `${count(dead)} dead`)

/** As much of a run's id as is shown, and as suffices to name the run. */
export const shortId = (runId: string): string => runId.slice(0, 8)

/** A text about a pipeline; null if the configuration has none. */
export const inPipeline = (pipeline: string | null, text: string): string =>
  pipeline === null ? text : `${pipeline}: ${text}`
