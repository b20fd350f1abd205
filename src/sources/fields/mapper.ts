/** From a record with its own keys to a location. */
import type { Location } from '../../plugin.js'
import { Bare, meaningOf } from './names.js'
import type { Fields } from './options.js'
import { synonyms } from './synonyms.js'

interface Plan {
  /** A name each: of the record's own keys, then of the paths that led to something. */
  readonly meanings: readonly (string | undefined)[]
  /** How many values were taken out of the object under each own key. */
  readonly taken: readonly number[]
}

/**
 * Makes the function that makes locations of objects: it renames their keys, and takes what `chosen` or a synonym
 * finds inside of nested ones (`coord.lat`). A nested object of which nothing is left is left out.
 */
export function fieldMapper(chosen: Fields = {}): (record: Readonly<Record<string, unknown>>) => Location {
  const paths = [...new Set([...Object.values(chosen), ...Object.values(synonyms).flat()])].filter((name) =>
    name.includes('.'),
  )
  const nested = paths.map((name) => ({ name, parts: name.split('.') }))
  const roots = new Set(nested.map(({ parts }) => parts[0]))
  // A list's records have few shapes, however many there are of them.
  const plans = new Map<string, Plan>()

  function planFor(names: readonly string[], own: number): Plan {
    const shape = `${own}\0${names.join('\0')}`
    const known = plans.get(shape)
    if (known) return known
    const all = meaningOf(names, chosen)
    // What a path found is either a known field now, or no field at all.
    const meanings = all.map((meaning, index) => (index < own || meaning !== names[index] ? meaning : undefined))
    const used = names.slice(own).filter((_, index) => meanings[own + index] !== undefined)
    const taken = names
      .slice(0, own)
      .map((name) => used.filter((path) => path.startsWith(`${name}.`) && path.split('.').length === 2).length)
    const plan = { meanings, taken }
    if (plans.size >= 1_000) plans.clear()
    plans.set(shape, plan)
    return plan
  }

  return (record) => {
    const names = Object.keys(record)
    const own = names.length
    const values = names.map((name) => record[name])
    if (names.some((name) => roots.has(name) && isObject(record[name])))
      for (const { name, parts } of nested) {
        const value = parts.reduce<unknown>((inner, part) => (isObject(inner) ? inner[part] : undefined), record)
        if (value === undefined || Object.hasOwn(record, name)) continue
        names.push(name)
        values.push(value)
      }
    const { meanings, taken } = planFor(names, own)
    const location = new Bare()
    for (let index = 0; index < names.length; index++) {
      const meaning = meanings[index]
      const value = values[index]
      const out = taken[index] ?? 0
      if (meaning !== undefined && !(out > 0 && isObject(value) && Object.keys(value).length === out))
        location[meaning] = value
    }
    return location
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
