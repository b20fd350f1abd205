/** What the names of columns and keys mean: decided once per list, or once per shape of its records. */
import { snakeCase } from '../../tasks/extras.js'
import { ownKeys } from '../../tasks/task.js'
import { withoutHidden } from '../../words.js'
import { axesIn } from './axes.js'
import type { Fields } from './options.js'
import { synonyms } from './synonyms.js'

/** What the source calls a field, for messages. */
export type Thing = 'column' | 'key'

export const normal = (name: string): string => typed(name).replace(/[\s_-]+/g, '')

/** A name as a reader would type it: in lower case, without invisible characters. */
export const typed = (name: string): string => withoutHidden(name).trim().toLowerCase()

/**
 * An object that inherits no names, so that a column may be called `__proto__`. V8 handles these several times
 * as fast as `Object.create(null)`.
 */
export class Dictionary {
  [name: string]: unknown
}
Object.setPrototypeOf(Dictionary.prototype, null)

/** The fields that owm itself reads. */
export const known: ReadonlySet<string> = new Set([
  ...['id', 'latitude', 'longitude', 'coordinates', 'city', 'state'],
  ...['forecast_duration_hours', 'historical_duration_hours'],
])

/** A name that a task can't have, and the one under which its values travel. */
export interface Renamed {
  readonly name: string
  readonly as: string
  /** The reason: follows `since`. */
  readonly why: string
}

export interface Meanings {
  /** One for each name. */
  readonly meanings: readonly string[]
  readonly renamed: readonly Renamed[]
  /** If one column is mapped to several fields: `from` is the one in `meanings`, `to` another one. */
  readonly copied: readonly { readonly from: string; readonly to: string }[]
}

/**
 * What each name means to owm: one of its fields, or itself. `chosen` wins, then the first synonym that occurs; for the
 * coordinates, the first two that belong together. A name whose meaning went to another column becomes `original_…`.
 * Meanings are unique; none is reserved for tasks, and each has a letter or digit.
 *
 * @param chosen owm's name -> the source's own
 */
export function meaningsOf(names: readonly string[], thing: Thing, chosen: Fields = {}): Meanings {
  const trimmed = names.map((name) => name.trim())
  const { found, copied } = knownIn(trimmed, chosen)
  const taken = new Map([...found].map(([index, own]) => [own, trimmed[index] ?? '']))
  const inTask = new Set([...taken.keys()].map(snakeCase))
  const renamed: Renamed[] = []
  const meanings = trimmed.map((name, index) => {
    const own = found.get(index)
    if (own !== undefined) return own
    const meaning = name.toLowerCase()
    const other = taken.get(meaning)
    const wanted = other === undefined ? name : `original_${name}`
    const as = freeInTask(snakeCase(wanted) || `${thing}_${index + 1}`, inTask)
    inTask.add(as)
    if (as !== snakeCase(wanted))
      renamed.push({
        name,
        as,
        why: snakeCase(name) === '' ? 'it has no letter or digit' : 'that name is taken in a task',
      })
    // A mapping that the configuration names needs no warning.
    else if (other !== undefined && !Object.hasOwn(chosen, meaning))
      renamed.push({ name, as, why: `"${other}" is the ${meaning}` })
    return as === snakeCase(wanted) ? wanted : as
  })
  return { meanings, renamed, copied }
}

const axis = '(lat|latitude|lon|lng|long|longitude)'
const minutes = new RegExp(`^${axis}(min|minutes?|sec|seconds?)$`)
const minutesBeside = new RegExp(`^${axis}mn?$`)
const hemisphere = new RegExp(`^${axis}(dir|direction|hem|hemisphere|ns|ew)$`)

/**
 * A name that shows that latitude and longitude are only a part of the coordinates: one of minutes, or of a hemisphere.
 * Undefined if there is none; `lat_min` beside `lat_max` is a bounding box.
 */
export function partOfDegrees(names: readonly string[]): string | undefined {
  const normalised = names.map(normal)
  const has = (name: string): boolean => normalised.includes(name)
  const isPart = (name: string): boolean =>
    (minutes.test(name) && !(name.endsWith('min') && has(name.replace(/min$/, 'max')))) ||
    hemisphere.test(name) ||
    // `lat_m` beside `lat_d`, and minutes beside `lat degrees`.
    (minutesBeside.test(name) && ['d', 'deg', 'degrees'].some((unit) => has(name.replace(/mn?$/, unit)))) ||
    (name === 'minutes' && has('latdegrees')) ||
    (/^n\/?s$/.test(name) && (has('ew') || has('e/w')))
  return names.find((_, index) => isPart(normalised[index] ?? ''))
}

/** The names that mean something to owm: index -> meaning. */
function knownIn(
  trimmed: readonly string[],
  chosen: Readonly<Record<string, string>>,
): { found: Map<number, string>; copied: Meanings['copied'] } {
  const found = new Map<number, string>()
  const copied: { from: string; to: string }[] = []
  const lower = trimmed.map(typed)
  for (const [key, column] of Object.entries(chosen)) {
    const exact = trimmed.indexOf(column.trim())
    const index = exact >= 0 ? exact : lower.indexOf(typed(column))
    const first = found.get(index)
    if (first !== undefined) copied.push({ from: first, to: key })
    else if (index >= 0) found.set(index, key)
  }
  const normalised = trimmed.map(normal)
  for (const [key, names] of Object.entries(synonyms)) {
    if (Object.hasOwn(chosen, key) || key === 'latitude' || key === 'longitude') continue
    const index = names
      .map((name) => normalised.findIndex((column, at) => column === name && !found.has(at)))
      .find((at) => at >= 0)
    if (index !== undefined) found.set(index, key)
  }
  if (!('coordinates' in chosen))
    for (const [axis, index] of axesIn(normalised, chosen, (at) => !found.has(at))) found.set(index, axis)
  return { found, copied }
}

/** A name for a task that is neither reserved nor taken. */
function freeInTask(name: string, taken: ReadonlySet<string>): string {
  const own = ownKeys.has(name) ? `original_${name}` : name
  let unique = own
  for (let number = 2; taken.has(unique); number++) unique = `${own}_${number}`
  return unique
}

/** A name that a record doesn't have yet. */
export function freeName(wanted: string, record: object): string {
  let name = wanted
  while (Object.hasOwn(record, name)) name = `original_${name}`
  return name
}
