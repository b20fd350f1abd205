/** Requires UTF-8. Other bytes are decoded to U+FFFD, which makes different names equal, and matches no list. */
import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { isObject } from '../../tasks/json/tree.js'
import { SyntaxMistake } from './syntax.js'

const replacement = '\ufffd'
const notUtf8 = "it isn't valid UTF-8: save it as UTF-8"

/** What is wrong with a text that has NUL characters; undefined for others. */
export function whyNoText(text: string): string | undefined {
  if (!text.includes('\0')) return undefined
  const isMarked = text.startsWith(replacement.repeat(2)) // FF FE, or FE FF
  return `${isMarked ? 'it is UTF-16' : 'it has NUL characters, so it is damaged, or UTF-16'}: save it as UTF-8`
}

/** The text of a file, without a byte order mark. Throws an Error if it isn't UTF-8. */
export function utf8Of(bytes: Buffer): string {
  const text = new TextDecoder().decode(bytes)
  const why = whyNoText(text) ?? (isUtf8(bytes) ? undefined : notUtf8)
  if (why !== undefined) throw new Error(why)
  return text
}

/**
 * Throws SyntaxMistake if the value of a file isn't in UTF-8. Comments may be in any encoding.
 * @param text as decoded
 */
export async function mustBeUtf8(path: string, text: string, value: unknown): Promise<void> {
  if (!text.includes(replacement) || !isMisread(value)) return
  // The file may contain U+FFFD itself. A pipe can't be read again to find out.
  if ((await stat(path)).isFile() && isUtf8(await readFile(path))) return
  const before = text.slice(0, text.indexOf(replacement)).split('\n')
  const place = { line: before.length, col: (before.at(-1) ?? '').length + 1 }
  throw new SyntaxMistake(notUtf8, place)
}

/** @param seen guards against cycles of YAML aliases */
function isMisread(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value === 'string') return value.includes(replacement)
  if (!isObject(value) || seen.has(value)) return false
  seen.add(value)
  return Object.entries(value).some(([key, inner]) => isMisread(key) || isMisread(inner, seen))
}

/** Why cosmiconfig, which takes no byte order mark, can't read a file as JSON. */
export async function whyNoJson(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.startsWith('\ufeff')) return 'it begins with a byte order mark: save it without one'
  return whyNoText(text) ?? 'it is not JSON'
}
