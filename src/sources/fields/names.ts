/** What the names of columns and keys mean. */
import type { Fields } from './options.js'
import { synonyms } from './synonyms.js'

const normal = (name: string): string => name.toLowerCase().replace(/[\s_-]+/g, '')

/**
 * An object that inherits no names, so that a column may be called `__proto__`. V8 handles these several times
 * as fast as `Object.create(null)`.
 */
export class Bare {
  [name: string]: unknown
}
Object.setPrototypeOf(Bare.prototype, null)

/**
 * What each of a list's column names means to owm. A name that means nothing special stays itself. `chosen` wins,
 * then the first synonym that occurs; a column whose name another one was chosen for becomes `original_…`.
 *
 * @param chosen owm's name -> column
 */
export function meaningOf(names: readonly string[], chosen: Fields = {}): string[] {
  const meant = names.map((name) => name.trim())
  const lower = meant.map((name) => name.toLowerCase())
  const found = new Map<number, string>()
  for (const [key, column] of Object.entries(chosen)) {
    const exact = meant.indexOf(column.trim())
    const index = exact >= 0 ? exact : lower.indexOf(column.trim().toLowerCase())
    if (index >= 0) found.set(index, key)
  }
  const normalised = meant.map(normal)
  for (const [key, known] of Object.entries(synonyms)) {
    if (Object.hasOwn(chosen, key)) continue
    const index = known
      .map((name) => normalised.findIndex((column, at) => column === name && !found.has(at)))
      .find((at) => at >= 0)
    if (index !== undefined) found.set(index, key)
  }
  const taken = new Set(found.values())
  return meant.map((name, index) => found.get(index) ?? (taken.has(name.toLowerCase()) ? `original_${name}` : name))
}
