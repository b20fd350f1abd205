/** From the bytes of a list to its text: gzip, encodings, lines. */
import { pipeline } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import * as z from 'zod'
import { codeOf, toError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import { damaged, maxRecord } from './records.js'
import { type Signature, signatureOf } from './signature.js'

/** Candidates for a misspelt encoding. */
const usualEncodings = [
  ...['utf-8', 'utf-16le', 'utf-16be', 'latin1', 'macintosh', 'koi8-r', 'koi8-u', 'ibm866'],
  ...['gbk', 'gb18030', 'big5', 'shift_jis', 'euc-jp', 'euc-kr'],
  ...Array.from({ length: 9 }, (_, page) => `windows-${1250 + page}`),
  ...Array.from({ length: 16 }, (_, part) => `iso-8859-${part + 1}`),
]

/** @param what is encoded, and by what it is known without the option: for the description */
export const encoding = (what: string, otherwise: string): z.ZodOptional<z.ZodString> =>
  z
    .string()
    .refine(isEncoding, {
      error: ({ input }) => `there is no such encoding; the nearest is ${nearestEncoding(String(input))}`,
    })
    .optional()
    .describe(`${what} encoding, such as latin1, windows-1252 or utf-16le; by default ${otherwise}`)

function isEncoding(name: string): boolean {
  try {
    return new TextDecoder(name).encoding !== ''
  } catch {
    return false
  }
}

const nearestEncoding = (name: string): string =>
  nearest(name, usualEncodings) ?? 'utf-8, or another of the WHATWG Encoding Standard'

/** Joins the first chunks until they satisfy `isEnough`. */
export async function* merged<T extends Buffer | string>(
  chunks: AsyncIterable<T>,
  join: (parts: T[]) => T,
  isEnough: (head: T) => boolean,
): AsyncGenerator<T> {
  let parts: T[] | undefined = []
  for await (const chunk of chunks) {
    if (!parts) yield chunk
    else {
      parts.push(chunk)
      const head = join(parts)
      if (!isEnough(head)) continue
      parts = undefined
      yield head
    }
  }
  if (parts && parts.length > 0) yield join(parts)
}

export const joined = (parts: string[]): string => parts.join('')
const hasLine = (text: string): boolean => text.includes('\n') || text.length >= 65_536

/** Expands gzip, whatever the file is called. */
export async function* unzipped(input: AsyncIterable<Buffer>, name: string, mustBe: boolean): AsyncGenerator<Buffer> {
  const chunks = merged(input, Buffer.concat, (head) => head.length >= 16)
  const first = await chunks.next()
  const isZipped = first.value !== undefined && isGzip(first.value)
  const hint = 'Make the file again, or fetch it again.'
  if (mustBe && !isZipped)
    throw damaged(name, `${first.done ? 'is empty' : "isn't gzip's"}, though its name ends in .gz`, hint)
  async function* all(): AsyncGenerator<Buffer> {
    if (!first.done) yield first.value
    yield* chunks
  }
  if (!isZipped) return yield* readable(all(), name)
  try {
    const bytes = pipeline(all(), createGunzip({ chunkSize: 65_536 }), () => undefined)
    yield* readable(bytes, name, (head) => {
      if (isGzip(head)) throw damaged(name, 'is gzip within gzip: it was packed twice', 'Unpack it: `gunzip FILE`.')
    })
  } catch (error) {
    throw codeOf(error).startsWith('Z_')
      ? damaged(name, `is damaged or incomplete: ${toError(error).message}`, hint, error)
      : error
  }
}

export const isGzip = ([first, second]: Buffer): boolean => first === 0x1f && second === 0x8b

/** The bytes of a list. Throws ConfigurationError if they are of a type that owm doesn't read. */
async function* readable(
  bytes: AsyncIterable<Buffer>,
  name: string,
  look: (head: Buffer) => void = () => undefined,
): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of merged(bytes, Buffer.concat, (head) => head.length >= 16)) {
    if (isFirst) {
      look(chunk)
      refuseForeign(chunk, name)
    }
    isFirst = false
    yield chunk
  }
}

/** Throws ConfigurationError for the first bytes of a file that owm can't read. */
export const refuseForeign = (head: Buffer, name: string): void => refuse(signatureOf(head), name)

export function refuse(found: Signature | undefined, name: string): void {
  if (found) throw damaged(name, `is ${found.what}`, found.hint)
}

/** Text without its byte order mark. What isn't valid in the encoding becomes U+FFFD. */
export async function* decoded(bytes: AsyncIterable<Buffer>, encoding: string | undefined): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined
  for await (const chunk of merged(bytes, Buffer.concat, (head) => head.length >= 2)) {
    decoder ??= new TextDecoder(encoding ?? encodingOf(chunk) ?? 'utf-8')
    yield decoder.decode(chunk, { stream: true })
  }
  const rest = decoder?.decode()
  if (rest) yield rest
}

/** By the byte order mark, or by the zero beside the first character, which is ASCII in nearly every list. */
export function encodingOf([first, second, third]: Buffer): string | undefined {
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8'
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be'
  return undefined
}

/** Arrays of whole lines without their line ends, but with the CR of CRLF. */
export async function* linesOf(text: AsyncIterable<string>, list: string): AsyncGenerator<string[]> {
  let end: string | undefined
  let rest = ''
  let done = 0
  for await (const chunk of merged(text, joined, hasLine)) {
    end ??= chunk.includes('\n') || !chunk.includes('\r') ? '\n' : '\r'
    const lines = (rest + chunk).split(end)
    rest = lines.pop() ?? ''
    done += lines.length
    if (rest.length > maxRecord)
      throw damaged(list, `has a line ${done + 1} of more than ${maxRecord} characters`, 'Is source.format right?')
    yield lines
  }
  if (rest !== '') yield [rest]
}
