/**
 * Whether JSON may have a key twice, of which JSON.parse keeps the last one and says nothing: its text has more keys
 * than the `value` that was parsed from it. Sure where it says no.
 */
import { sumOf } from '../../lists.js'
export const mayRepeatKeys = (text: string, value: unknown): boolean => keysIn(text) > keysOf(value)

/** How many keys a text has, those in strings that look like some included. */
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

/** How many keys a value has, at all depths. */
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return sumOf(value, (each) => keysOf(each))
  let count = 0
  for (const inner of Object.values(value)) count += 1 + keysOf(inner)
  return count
}
