/** A location's extra keys: those unknown to owm go into the task under snake_case names. */
import type { Location } from '../plugin.js'
import type { Utf8 } from './bytes.js'
import { exactJson, RepeatedKey } from './json/exact.js'
import { mustBeReadable, Rejection, shown } from './rejection.js'
import { ownKeys } from './task.js'

/** The most characters of all extra keys and values of a task. */
export const maxExtraChars = 64 * 1024
/** SQLite's JSON functions read 1,000 levels, Python's decoder about as many; deeper input is never intended. */
const maxExtraDepth = 64

/** A key as it stands inside a task: `,"name":`. */
export const keyBytes = (name: string): Uint8Array => Buffer.from(`,${JSON.stringify(name)}:`)

/**
 * Appends the location's extra keys, but for those without a value (empty, NaN). Throws Rejection.
 * @param reserved a name, besides owm's own, that no key may have
 */
export function writeExtras(location: Location, task: Utf8, reserved?: string): void {
  const { extras, mayClash } = shapeOf(location)
  const taken: string[] | undefined = mayClash ? [] : undefined
  let length = 0
  for (const key of extras) {
    const value = location[key]
    if (value === undefined || value === null || value === '' || Number.isNaN(value)) continue
    const { name, start } = extraOf(key)
    if (name === '' || ownKeys.has(name) || name === reserved || taken?.includes(name))
      throw new Rejection(`the key ${shown(key)} can't be a task's: its name is empty or taken`)
    taken?.push(name)
    const encoded = jsonOf(value, name)
    if (encoded === undefined) continue
    const added = name.length + encoded.length
    if (length + added > maxExtraChars)
      throw new Rejection(`its extra keys are longer than ${maxExtraChars} characters`)
    task.put(start)
    task.text(encoded)
    length += added + ',"":'.length
  }
}

interface Shape {
  readonly keys: readonly string[]
  readonly extras: readonly string[]
  /** Whether two of the extras may have the same name in a task. */
  readonly mayClash: boolean
}

/** The shape of the latest location: in most sources all rows have the same keys. */
let latest: Shape = { keys: [], extras: [], mayClash: false }

function shapeOf(location: Location): Shape {
  const keys = Object.keys(location)
  if (keys.length === latest.keys.length && keys.every((key, index) => key === latest.keys[index])) return latest
  const extras = keys.filter((key) => !ownKeys.has(key) || isUnread(key, keys))
  latest = { keys, extras, mayClash: extras.some((key) => ownKeys.has(key) || snakeCase(key) !== key) }
  return latest
}

/** Whether a key has one of owm's own names without being read by owm: then it becomes `original_…`. */
const isUnread = (key: string, keys: readonly string[]): boolean =>
  key === 'task_id' || key === 'location_id' || (key.endsWith('_deg') && keys.includes(key.replace('_deg', '')))

/** A cache by key. */
const extraKeys = new Map<string, { name: string; start: Uint8Array }>()

/** A key's name in a task, and its bytes there: `,"name":`. */
function extraOf(key: string): { name: string; start: Uint8Array } {
  const known = extraKeys.get(key)
  if (known) return known
  const name = ownKeys.has(key) ? `original_${key}` : snakeCase(key)
  const extra = { name, start: keyBytes(name) }
  if (extraKeys.size === 1_000) extraKeys.clear()
  extraKeys.set(key, extra)
  return extra
}

/** A value as JSON; undefined for what JSON omits, such as a function. */
function jsonOf(value: unknown, name: string): string | undefined {
  mustBeJson(value, name, maxExtraDepth)
  try {
    return exactJson(value)
  } catch {
    throw new Rejection(`${name} has no form in JSON`)
  }
}

/** Throws Rejection if JSON can't represent a value, or its readers can't take it. */
function mustBeJson(value: unknown, name: string, levels: number): void {
  if (typeof value === 'string') mustBeReadable(value, name)
  // JSON.stringify would write `null`.
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
    throw new Rejection(`${name} holds a number that is too large for JSON`)
  if (typeof value !== 'object' || value === null) return
  if (levels === 0) throw new Rejection(`${name} is nested deeper than ${maxExtraDepth} levels`)
  if (value instanceof RepeatedKey) throw new Rejection(`${name} has a key that is there twice`)
  for (const [key, inner] of Object.entries(value)) {
    mustBeReadable(key, name)
    mustBeJson(inner, name, levels - 1)
  }
}

export const snakeCase = (key: string): string =>
  /^[a-z][a-z0-9_]*$/.test(key)
    ? key
    : key
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .replace(/[^\p{L}\p{N}]+/gu, '_')
        .replace(/^_+|_+$/g, '')
        .toLowerCase()
