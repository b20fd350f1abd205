/** Numbers and texts as people read them. */
import { compact } from '../lists.js'
import { count, plural } from '../words.js'

export { age, count, megabytes, plural } from '../words.js'

/** Control characters, marks of direction and separators of lines: what a terminal would obey. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Replaces what a terminal would obey: a city's name may hold escape sequences. */
export const harmless = (text: string): string => text.replace(obeyed, '\ufffd')

/** The same JSON, with escapes for what a terminal would obey and JSON lets through. */
export const harmlessJson = (json: string): string =>
  json.replace(obeyed, (character) =>
    character < ' ' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** `1.4 s`, `12 s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`
}

/** Tells the milliseconds since this call. Not by `performance`: Node takes a millisecond to load its modules. */
export function stopwatch(): () => number {
  const started = process.uptime()
  return () => Math.round((process.uptime() - started) * 1000)
}

/** An option's default as a configuration would have it; `required` where it needs a value, else nothing. */
export function defaultOf(option: { default?: unknown; required: boolean }): string {
  if (option.default === undefined) return option.required ? 'required' : ''
  return typeof option.default === 'string' ? option.default : JSON.stringify(option.default)
}

/** What a run read. */
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
 * @param isOptional whether it goes without saying that there were none
 */
export function tasksDelivered({ name, delivered, deduplicated, evicted }: Delivered, isOptional = false): string[] {
  return compact(
    (delivered > 0 || !isOptional) && `${plural(delivered, 'task')} delivered to ${name}`,
    deduplicated > 0 && `${count(deduplicated)} were there already`,
    evicted > 0 && `${count(evicted)} unread entries trimmed`,
  )
}

/** `2 pending`, `1 dead`; nothing where there is none. */
export const leftIn = ({ pending, dead }: { pending: number; dead: number }): string[] =>
  compact(pending > 0 && `${count(pending)} pending`, dead > 0 && `${count(dead)} dead`)
