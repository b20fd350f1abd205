/** What the names of columns and keys mean: judged once for a list, or once for each shape of its records. */
import { snakeCase } from '../../tasks/extras.js'
import { ownKeys } from '../../tasks/task.js'
import { withoutHidden } from '../../words.js'
import { axesIn } from './axes.js'
import type { Fields } from './options.js'
import { synonyms } from './synonyms.js'

/** A column or a key, by the source's own word for it. */
export type Thing = 'column' | 'key'

export const normal = (name: string): string => typed(name).replace(/[\s_-]+/g, '')

/** A name as somebody types it who sees it: in lower case, without what can't be seen. */
export const typed = (name: string): string => withoutHidden(name).trim().toLowerCase()

/**
 * An object that inherits no names, so that a column may be called `__proto__`. V8 handles these several times
 * as fast as `Object.create(null)`.
 */
export class Bare {
  [name: string]: unknown
}
Object.setPrototypeOf(Bare.prototype, null)

/** What owm itself reads. */
export const known: ReadonlySet<string> = new Set([
  ...['id', 'latitude', 'longitude', 'coordinates', 'city', 'state'],
  ...['forecast_duration_hours', 'historical_duration_hours'],
])

/** A name that can't be a task's as it is, and the one under which its values travel. */
export interface Renamed {
  readonly name: string
  readonly as: string
  /** Why, behind `since`. */
  readonly why: string
}

export interface Meanings {
  /** One for each name. */
  readonly meanings: readonly string[]
  readonly renamed: readonly Renamed[]
  /** Where one column is mapped to several of owm's names: the others, and the one that stands in `meanings`. */
  readonly copied: readonly { readonly from: string; readonly to: string }[]
}

/**
 * What each name means to owm. A name that means nothing special stays itself. `chosen` wins, then the first synonym
 * that occurs, for the coordinates the first two that belong together; one whose name another one was taken for
 * becomes `original_…`. No two get the same meaning, and none a meaning that is owm's own or that has no letter or
 * digit in it.
 *
 * @param chosen owm's name -> the source's own
 */
export function meaningsOf(names: readonly string[], thing: Thing, chosen: Fields = {}): Meanings {
  const meant = names.map((name) => name.trim())
  const { found, copied } = knownIn(meant, chosen)
  const taken = new Map([...found].map(([index, own]) => [own, meant[index] ?? '']))
  const inTask = new Set([...taken.keys()].map(snakeCase))
  const renamed: Renamed[] = []
  const meanings = meant.map((name, index) => {
    const own = found.get(index)
    if (own !== undefined) return own
    const meaning = name.toLowerCase()
    const other = taken.get(meaning)
    const wanted = other === undefined ? name : `original_${name}`
    const as = free(snakeCase(wanted) || `${thing}_${index + 1}`, inTask)
    inTask.add(as)
    if (as !== snakeCase(wanted))
      renamed.push({
        name,
        as,
        why: snakeCase(name) === '' ? 'it has no letter or digit' : 'that name is taken in a task',
      })
    // What the configuration chose needs no word.
    else if (other !== undefined && !Object.hasOwn(chosen, meaning))
      renamed.push({ name, as, why: `"${other}" is the ${meaning}` })
    return as === snakeCase(wanted) ? wanted : as
  })
  return { meanings, renamed, copied }
}

const axis = '(lat|latitude|lon|lng|long|longitude)'
const minutes = new RegExp(`^${axis}(min|minutes?|sec|seconds?)$`)
const hemisphere = new RegExp(`^${axis}(dir|direction|hem|hemisphere|ns|ew)$`)

/**
 * A name that says that the coordinates are more than what stands under latitude and longitude: minutes, or a
 * hemisphere. Undefined where there is none; `lat_min` beside `lat_max` is a border.
 */
export function partOfDegrees(names: readonly string[]): string | undefined {
  const normalised = names.map(normal)
  const has = (name: string): boolean => normalised.includes(name)
  const isPart = (name: string): boolean =>
    (minutes.test(name) && !(name.endsWith('min') && has(name.replace(/min$/, 'max')))) ||
    hemisphere.test(name) ||
    (/^n\/?s$/.test(name) && (has('ew') || has('e/w')))
  return names.find((_, index) => isPart(normalised[index] ?? ''))
}

/** The names that mean something to owm: index -> meaning. */
function knownIn(
  meant: readonly string[],
  chosen: Readonly<Record<string, string>>,
): { found: Map<number, string>; copied: Meanings['copied'] } {
  const found = new Map<number, string>()
  const copied: { from: string; to: string }[] = []
  const lower = meant.map(typed)
  for (const [key, column] of Object.entries(chosen)) {
    const exact = meant.indexOf(column.trim())
    const index = exact >= 0 ? exact : lower.indexOf(typed(column))
    const first = found.get(index)
    if (first !== undefined) copied.push({ from: first, to: key })
    else if (index >= 0) found.set(index, key)
  }
  const normalised = meant.map(normal)
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

/** A name in a task that is neither owm's own nor taken. */
function free(name: string, taken: ReadonlySet<string>): string {
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
