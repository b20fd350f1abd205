/** YAML and JSON with the places of what stands in them: the one parser of YAML. */
import type { Document, DocumentOptions, LineCounter, ParseOptions, SchemaOptions, YAMLParseError } from 'yaml'
import { toError } from '../../errors/index.js'
import { type Digits, keepDigits } from './digits.js'

/** Where a text can't be read, and why. The message never quotes the text: a password may stand there. */
export class SyntaxMistake extends Error {
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number

  constructor(message: string, { line, col }: { line: number; col: number }) {
    super(message)
    this.line = line
    this.column = col
  }
}

/**
 * Reads YAML; undefined where it holds nothing but comments. Throws SyntaxMistake.
 * @param keys under which the text stands in a configuration
 */
export async function parseYaml(text: string, keys: readonly string[] = []): Promise<unknown> {
  return valueIn(text, { keys, withLocations: true })
}

async function valueIn(text: string, digits: Digits): Promise<unknown> {
  const { document, lines } = await parsed(text, { merge: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) throw new SyntaxMistake(unquoted(problem.message), lines.linePos(problem.pos[0]))
  if (document.contents === null) return undefined
  await keepDigits(document, digits)
  // More aliases than this are meant to fill the memory.
  const value: unknown = document.toJS({ maxAliasCount: 100_000 })
  return value
}

/** Reads JSON, likewise. Throws SyntaxError, SyntaxMistake. */
export async function parseJson(text: string, keys: readonly string[] = []): Promise<unknown> {
  const value: unknown = JSON.parse(text)
  const isLong = /\d{16}/.test(text)
  // What a number would lose is kept by YAML, which JSON is a part of. In a list of JSON, 1.10 is the number 1.1.
  return isLong || losesZeros.test(text) ? valueIn(text, { keys, withLocations: isLong }) : value
}

/** Numbers with a form that isn't the number's own: 1.0, 1e3. */
const losesZeros = /\d\.\d*0|\d[eE][-+\d]/

/** What is wrong with JSON; undefined where nothing is found. */
export async function jsonMistake(text: string): Promise<SyntaxMistake | undefined> {
  const { document, lines } = await parsed(text, { schema: 'json' })
  return mistakeOf(document.errors[0], lines)
}

/**
 * Where JSON has a key twice; undefined where it doesn't.
 * @param part the one of its keys that counts: it, and what stands under it
 */
export async function keyTwice(text: string, part?: string): Promise<SyntaxMistake | undefined> {
  const { document, lines } = await parsed(text, { schema: 'json' })
  const { isMap, isNode, isScalar } = (await import('yaml')).default
  const pairs = isMap(document.contents) ? document.contents.items : []
  const isMeant = (place: number): boolean =>
    part === undefined ||
    pairs.some(({ key, value }) => {
      if (!isScalar(key) || key.value !== part) return false
      const [from = 0] = key.range ?? []
      return from <= place && place < ((isNode(value) ? value.range?.[1] : undefined) ?? 0)
    })
  const twice = document.errors.find(({ code, pos }) => code === 'DUPLICATE_KEY' && isMeant(pos[0]))
  return mistakeOf(twice, lines)
}

const mistakeOf = (error: YAMLParseError | undefined, lines: LineCounter): SyntaxMistake | undefined =>
  error && new SyntaxMistake(unquoted(error.message), lines.linePos(error.pos[0]))

/** Finds the line (from 1) of a key, or of the nearest thing around it. */
export type Lines = (path: readonly string[]) => number | undefined

/** Reads YAML or JSON for the places of its keys. */
export async function linesOf(text: string): Promise<Lines> {
  const { isAlias, isMap, isNode, isScalar, isSeq } = (await import('yaml')).default
  const nowhere = (error: unknown): undefined => {
    if (!(error instanceof SyntaxMistake)) throw error
  }
  const found = await parsed(text, { uniqueKeys: false, merge: true }).catch(nowhere)
  if (!found) return () => undefined
  const { document, lines } = found
  return (path) => {
    let node: unknown = document.contents
    let start: number | undefined
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(document)
      const pair = isMap(node)
        ? node.items.findLast(({ key }) => isScalar(key) && String(key.value) === part)
        : undefined
      const place: unknown = pair ? pair.key : isSeq(node) ? node.items[Number(part)] : undefined
      if (!isNode(place)) break
      start = place.range?.[0] ?? start
      node = pair ? pair.value : place
    }
    return start === undefined ? undefined : lines.linePos(start).line
  }
}

async function parsed(
  text: string,
  options: ParseOptions & DocumentOptions & SchemaOptions,
): Promise<{ document: Document; lines: LineCounter }> {
  const { LineCounter, parseDocument } = (await import('yaml')).default
  const lines = new LineCounter()
  if (isTooDeep(text)) throw new SyntaxMistake(tooDeep, { line: 1, col: 1 })
  try {
    const quiet = { prettyErrors: false, logLevel: 'error' } as const // owm tells, Node's warnings don't
    return { document: parseDocument(text, { lineCounter: lines, ...quiet, ...options }), lines }
  } catch (error) {
    if (toError(error) instanceof RangeError) throw new SyntaxMistake(tooDeep, { line: 1, col: 1 })
    throw error
  }
}

export const tooDeep = 'it is nested too deeply'

/** Levels that nobody means. The parser goes down with them, and may meet the end of the stack where V8 gives up. */
const mostLevels = 2_000

function isTooDeep(text: string): boolean {
  let level = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x5b || code === 0x7b) level++
    else if (code === 0x5d || code === 0x7d) level--
    if (level > mostLevels) return true
  }
  return false
}

/** Without what the parser quotes. */
const unquoted = (message: string): string =>
  message
    .replace(/:? ".*"?$/s, '')
    .replace(/^Unresolved plain scalar.*/s, 'this is no value in JSON')
    .replace(/^Maximum call stack.*/s, tooDeep)
