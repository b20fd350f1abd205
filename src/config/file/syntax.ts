/** Parses YAML and JSON, with the positions of keys and mistakes. */
import type {
  Document,
  DocumentOptions,
  LineCounter,
  ParseOptions,
  SchemaOptions,
  YAMLParseError,
  YAMLWarning,
} from 'yaml'
import { toError } from '../../errors/index.js'
import { type Digits, keepDigits } from './digits.js'

/** Where and why a text can't be parsed. The message never quotes the text, which may contain a password. */
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
 * Parses YAML; undefined if it holds nothing but comments. Throws SyntaxMistake.
 * @param keys that the text stands under in a configuration
 */
export async function parseYaml(text: string, keys: readonly string[] = []): Promise<unknown> {
  return valueIn(text, { keys, withLocations: true })
}

async function valueIn(text: string, digits: Digits): Promise<unknown> {
  const { document, lines } = await parsed(text, { merge: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) {
    throw new SyntaxMistake(whyNoYaml(problem, text), lines.linePos(problem.pos[0]))
  }
  if (document.contents === null) return undefined
  await keepDigits(document, digits)
  // Bounds the memory that nested aliases can take.
  const value: unknown = document.toJS({ maxAliasCount: 100_000 })
  return value
}

/** In owm's words where the parser's name terms of YAML, which need not be what was meant. */
function whyNoYaml({ code, message, pos: [place] }: YAMLWarning | YAMLParseError, text: string): string {
  if (code === 'MULTIPLE_DOCS') return severalDocuments
  const isForQuotes = code !== 'DUPLICATE_KEY' && '*@%`'.includes(text.charAt(place) || ' ')
  return isForQuotes ? needsQuotes : unquoted(message)
}

const needsQuotes = 'a value that begins with *, @, % or ` must be in quotes, such as cron: "*/20 * * * *"'

const severalDocuments = 'a second document begins here, behind `---`: owm reads one'

/** Parses JSON, likewise. Throws SyntaxError, SyntaxMistake. */
export async function parseJson(text: string, keys: readonly string[] = []): Promise<unknown> {
  const value: unknown = JSON.parse(text)
  const isLong = /\d{16}/.test(text)
  // Read as YAML, a superset of JSON, if a number would lose digits. In a JSON list, 1.10 is the number 1.1.
  return isLong || losesZeros.test(text) ? valueIn(text, { keys, withLocations: isLong }) : value
}

/** Numbers that aren't in canonical form: 1.0, 1e3. */
const losesZeros = /\d\.\d*0|\d[eE][-+\d]/

/** The first mistake in a JSON text; undefined if none is found. */
export async function jsonMistake(text: string): Promise<SyntaxMistake | undefined> {
  const { document, lines } = await parsed(text, { schema: 'json' })
  return mistakeOf(document.errors[0], lines)
}

/**
 * Where JSON repeats a key; undefined if it doesn't.
 * @param part the only top-level key to check, with what stands under it
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

/** Finds the line (from 1) of a key, or of the nearest key above it that exists. */
export type Lines = (path: readonly string[]) => number | undefined

/** Parses YAML or JSON for the lines of its keys. */
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
    // No process warnings: owm reports mistakes itself.
    const quiet = { prettyErrors: false, logLevel: 'error' } as const
    return { document: parseDocument(text, { lineCounter: lines, ...quiet, ...options }), lines }
  } catch (error) {
    if (toError(error) instanceof RangeError) throw new SyntaxMistake(tooDeep, { line: 1, col: 1 })
    throw error
  }
}

export const tooDeep = 'it is nested too deeply'

/** The parser is recursive, and a stack overflow can abort V8. */
const maxDepth = 2_000

function isTooDeep(text: string): boolean {
  let level = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x5b || code === 0x7b) level++
    else if (code === 0x5d || code === 0x7d) level--
    if (level > maxDepth) return true
  }
  return false
}

/** A parser's message without the text that it quotes. */
const unquoted = (message: string): string =>
  message
    .replace(/:? ".*"?$/s, '')
    .replace(/^Unresolved plain scalar.*/s, 'this is no value in JSON')
    .replace(/^Maximum call stack.*/s, tooDeep)
