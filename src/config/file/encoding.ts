/** A configuration is UTF-8. What isn't was read as U+FFFD: two names may have become one, and no list has it. */
import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { SyntaxMistake } from './syntax.js'

const replacement = '\ufffd'
const notUtf8 = "it isn't valid UTF-8: save it as UTF-8"

/** What to say of a text whose bytes are UTF-16; undefined of others. */
export function whyNoText(text: string): string | undefined {
  if (!text.includes('\0')) return undefined
  const isMarked = text.startsWith(replacement.repeat(2)) // FF FE, or FE FF
  return `${isMarked ? 'it is UTF-16' : 'it has NUL characters, so it is damaged, or UTF-16'}: save it as UTF-8`
}

/** The text of a file that is nothing else, without a byte order mark. Throws where it isn't UTF-8. */
export function utf8Of(bytes: Buffer): string {
  const text = new TextDecoder().decode(bytes)
  const why = whyNoText(text) ?? (isUtf8(bytes) ? undefined : notUtf8)
  if (why !== undefined) throw new Error(why)
  return text
}

/**
 * Throws SyntaxMistake where the value of a file was written in another encoding. A comment may be in any.
 * @param text as it was read
 */
export async function mustBeUtf8(path: string, text: string, value: unknown): Promise<void> {
  if (!text.includes(replacement) || !isMisread(value)) return
  // Somebody may have written the character itself. A pipe can't be read twice.
  if ((await stat(path)).isFile() && isUtf8(await readFile(path))) return
  const before = text.slice(0, text.indexOf(replacement)).split('\n')
  const place = { line: before.length, col: (before.at(-1) ?? '').length + 1 }
  throw new SyntaxMistake(notUtf8, place)
}

/** @param seen an alias of YAML may lead back to what it stands in */
function isMisread(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value === 'string') return value.includes(replacement)
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  seen.add(value)
  return Object.entries(value).some(([key, inner]) => isMisread(key) || isMisread(inner, seen))
}

/** What keeps a file from being JSON for cosmiconfig, which wants none with a byte order mark. */
export async function whyNoJson(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.startsWith('\ufeff')) return 'it begins with a byte order mark: save it without one'
  return whyNoText(text) ?? 'it is not JSON'
}
