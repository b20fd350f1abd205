/** Values in nested objects and arrays: `coord.lat`, `geometry.coordinates.1`. */
import { isObject } from '../../tasks/json/tree.js'
import type { FieldOptions } from './options.js'
import { synonyms } from './synonyms.js'

interface Entries {
  /** A record's own keys, then the paths that have a value. */
  readonly names: readonly string[]
  readonly values: readonly unknown[]
  /** How many of them are the record's own keys. */
  readonly own: number
}

/** Makes the function that lists a record's entries: those that `fields`, `columns` or a synonym may mean. */
export function nestedPaths({
  fields = {},
  columns = [],
}: FieldOptions): (record: Readonly<Record<string, unknown>>) => Entries {
  const wanted = [...Object.values(fields), ...columns, ...Object.values(synonyms).flat()]
  const nested = [...new Set(wanted.filter((name) => name.includes('.')))].map((name) => ({
    name,
    parts: name.split('.'),
  }))
  const roots = new Set(nested.map(({ parts }) => parts[0]))
  return (record) => {
    const names = Object.keys(record)
    const own = names.length
    const values = names.map((name) => record[name])
    if (!names.some((name) => roots.has(name) && isObject(record[name]))) return { names, values, own }
    for (const { name, parts } of nested) {
      const value = valueAt(record, parts)
      if (value === undefined || Object.hasOwn(record, name)) continue
      names.push(name)
      values.push(value)
    }
    return { names, values, own }
  }
}

/** The value at `coord.lat`, given as its parts. */
export const valueAt = (record: object, parts: readonly string[]): unknown =>
  parts.reduce<unknown>((inner, part) => (isObject(inner) ? Reflect.get(inner, part) : undefined), record)

/** The names of a record's values, including those in nested objects, for hints. */
export function namesIn(record: object, levels = 3): { name: string; value: unknown }[] {
  return Object.entries(record).flatMap(([name, value]) => {
    const here = [{ name, value }]
    if (levels === 1 || !isObject(value) || Array.isArray(value)) return here
    return [...here, ...namesIn(value, levels - 1).map((inner) => ({ ...inner, name: `${name}.${inner.name}` }))]
  })
}
