import { sumOf } from '../../lists.js'

/**
 * Whether an object in a JSON text may have a key twice, of which JSON.parse silently keeps the last one: the text has
 * more keys than the `value` that was parsed from it. "No" is certain.
 */
export const mayRepeatKeys = (text: string, value: unknown): boolean => keysIn(text) > keysOf(value)

/** The number of keys in a text, including those that strings only seem to contain. */
function keysIn(text: string): number {
  let count = 0
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    let before = colon - 1
    while (isSpace(text.charCodeAt(before))) before--
    if (text.charCodeAt(before) === 0x22) count++
  }
  return count
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The number of keys in a value, at all depths. */
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return sumOf(value, (each) => keysOf(each))
  let count = 0
  for (const inner of Object.values(value)) count += 1 + keysOf(inner)
  return count
}
