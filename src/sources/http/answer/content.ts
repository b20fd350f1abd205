/** Decodes an answer's bytes, and recognises content that isn't what was asked for. */
import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { codeOf, toError } from '../../../errors/index.js'
import { isJson, parseJson } from '../../../tasks/json/parse.js'
import { signatureOf } from '../../formats/signature.js'
import { encodingOf, isGzip } from '../../formats/text.js'
import { TooLong } from '../errors.js'
import type { Options } from '../options.js'
import { type Answer, headerOf } from './received.js'

/** Why an answer isn't what it should be. */
export class WrongContent extends Error {
  readonly hint: string
  /** Whether it is something else altogether, not a good answer that was cut off. */
  readonly isForeign: boolean

  constructor(message: string, hint: string, isForeign: boolean) {
    super(message)
    this.hint = hint
    this.isForeign = isForeign
  }
}

/** The bytes of the list. Throws WrongContent, or TooLong. */
export function bytesOf(answer: Answer, { format, maxBodyBytes, encoding: given }: Options): Buffer {
  const { body, headers } = answer
  const encoding = encodedAs(body, answer, given)
  if (encoding !== undefined)
    throw new WrongContent(
      `is encoded with ${encoding} (content-encoding), which owm doesn't read${kindOf(headers)}`,
      'owm asks for gzip or no encoding: correct accept-encoding if source.headers sets it; ' +
        'else the server has to heed it.',
      true,
    )
  if (isGzip(body)) {
    if (format === undefined)
      throw new WrongContent(
        'is a gzip file, not JSON',
        'Set source.format to what is in it: json, csv, tsv or ndjson.',
        true,
      )
    return expanded(body, maxBodyBytes)
  }
  const found = signatureOf(body)
  if (found) throw new WrongContent(`is ${found.what}${kindOf(headers)}`, found.hint, true)
  return body
}

/**
 * The encoding of a body that can't be read as it is; undefined for one that can, whatever its header says: some
 * servers name a character set there.
 */
export function encodedAs(body: Buffer, answer: Answer, given?: string): string | undefined {
  const { encodings } = answer
  if (encodings.length === 0 || isGzip(body)) return undefined
  return /[^\P{Cc}\t\r\n\f]|\ufffd/u.test(textOf(body, answer, given)) ? encodings.join(', ') : undefined
}

const kindOf = (headers: Answer['headers']): string => ` (${headerOf(headers, 'content-type') || 'no content type'})`

function expanded(body: Buffer, most: number): Buffer {
  try {
    return gunzipSync(body, { maxOutputLength: most })
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') throw new TooLong(most)
    throw new WrongContent(`is a damaged gzip file: ${toError(error).message}`, 'Try again later.', false)
  }
}

/** Encodings with one byte per character, which servers name out of habit. */
const singleByte = /^(iso-?8859|windows-?125|cp125|latin|us-ascii|ascii)/i

/** The text of an answer: in the given encoding, or that of its first bytes, or the one that it names. */
export function textOf(bytes: Buffer, { headers }: Answer, given?: string): string {
  const encoding = given ?? encodingOf(bytes)
  if (encoding !== undefined) return new TextDecoder(encoding).decode(bytes)
  const charsetInHeader = /charset=["']?([\w-]+)/i.exec(headerOf(headers, 'content-type'))?.[1] ?? 'utf-8'
  // JSON is UTF-8, whatever its header says (RFC 8259, 8.1); no text in Latin-1 looks like it by chance.
  const charset = singleByte.test(charsetInHeader) && isUtf8(bytes) ? 'utf-8' : charsetInHeader
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return new TextDecoder().decode(bytes)
  }
}

/** Throws WrongContent. */
export function jsonOf(text: string, { headers }: Answer): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    const kind = kindOf(headers)
    const start = text.trimStart()
    if (/^[{[]/.test(start)) {
      const isLines = start.split('\n').slice(0, 2).every(isJson) && start.includes('\n')
      if (isLines) throw new WrongContent(`is NDJSON, not JSON${kind}`, 'Set source.format to ndjson.', true)
      throw new WrongContent(`isn't JSON${kind}: ${toError(error).message}`, 'Check that source.url is right.', false)
    }
    const [prefix] = /^(\)\]\}'?,?|while\s*\(|for\s*\(;;|[\w$.]+\((?=[[{]))/.exec(start) ?? []
    if (prefix !== undefined)
      throw new WrongContent(
        `is JSON wrapped in a script${kind}: it begins with "${prefix}"`,
        'Ask the server for plain JSON: leave out a callback parameter, or correct source.url and source.headers.',
        true,
      )
    const isTable = /csv|tab-separated/i.test(kind) || /^[^\n]*[,;\t|][^\n]*\n/.test(start)
    throw isTable
      ? new WrongContent(`is CSV, not JSON${kind}`, 'Set source.format to csv (or tsv).', true)
      : new WrongContent(
          `is no JSON${kind}: ${JSON.stringify(start.slice(0, 60))}`,
          'Correct source.url.',
          start !== '',
        )
  }
}
