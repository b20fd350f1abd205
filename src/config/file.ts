/** The configuration file, found and read: the only module that knows cosmiconfig, and the one parser of YAML. */
import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Loader } from 'cosmiconfig'
import type { Document, DocumentOptions, LineCounter, ParseOptions, SchemaOptions } from 'yaml'
import { ConfigurationError, codeOf, isOwmError, toError } from '../errors/index.js'
import { importModule } from '../plugins/load.js'
import { whyNotTrusted } from '../plugins/trust.js'
import { exactScalar } from '../tasks/json/exact.js'
import { mayRepeatKeys } from '../tasks/json/keys.js'
import { isTree } from '../tasks/json/tree.js'
import type { Found } from './origins.js'

/** Where relative paths start. `.config/owmrc.yaml` is about the folder that `.config` stands in. */
export const baseDirOf = (file: string): string =>
  dirname(file).endsWith('/.config') ? dirname(dirname(file)) : dirname(file)

/** Reads the file that was named, or the one that is found from a folder upwards. Throws ConfigurationError. */
export async function readConfigFile(
  named: string | undefined,
  cwd: string,
  looksOnly = false,
): Promise<Found | undefined> {
  const { cosmiconfig, getDefaultSearchPlaces } = (await import('cosmiconfig')).default
  const texts = new Map<string, string>()
  const searchPlaces = getDefaultSearchPlaces('owm')
  if (named === undefined) await mustBeReadable(cwd, searchPlaces)
  // Inside a function: making an explorer reads the working directory's package.json, too, which may be no JSON.
  const search = async () => {
    const byEnding = loaders(texts, named === undefined, looksOnly)
    const about = { searchStrategy: 'project', searchPlaces, loaders: byEnding } as const
    const explorer = cosmiconfig('owm', { ...about, ignoreEmptySearchPlaces: false })
    if (named === undefined) return explorer.search(cwd)
    const filepath = resolve(cwd, named)
    if (!(await stat(filepath).catch(() => undefined))?.isFIFO()) return explorer.load(filepath)
    if (looksOnly) throw new Error('it is a pipe')
    const parse = byEnding[extname(filepath)] ?? byEnding['noExt']
    return { filepath, config: (await parse?.(filepath, await textOfPipe(filepath))) ?? {} }
  }
  const found = await search().catch((thrown: unknown) => {
    throw unreadable(toError(thrown), named ?? `in ${cwd}`)
  })
  if (!found) return undefined
  const { filepath: file } = found
  if (named === undefined) await mustBeTrusted(file)
  // One further up would be about other locations.
  if (named === undefined && found.isEmpty)
    throw new ConfigurationError(`The configuration ${file} is empty.`, {
      hint: 'Was it cut short? Write it again, as `owm init` does; or remove it. `{}` says nothing on purpose.',
    })
  const tree: unknown = found.isEmpty ? {} : found.config
  if (!isTree(tree))
    throw new ConfigurationError(
      `The configuration ${file} must be a mapping of sections, such as \`source:\` and \`sink:\`.`,
      { hint: '`owm init` writes an example.' },
    )
  const prefix = basename(file) === 'package.json' ? ['owm'] : []
  const beside = named === undefined ? await othersBeside(file, searchPlaces) : []
  return { tree, file, beside, text: texts.get(file), prefix }
}

/** Configurations in the folder of the one that counts; whether a package.json is one isn't looked at. */
async function othersBeside(file: string, places: readonly string[]): Promise<string[]> {
  const isOther = (place: string): boolean => !isPackage(place) && join(baseDirOf(file), place) !== file
  const others = places.filter(isOther)
  const there = await Promise.all(others.map((place) => isFileAt(join(baseDirOf(file), place))))
  return others.filter((_, index) => there[index])
}

const isFileAt = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() ?? false

/**
 * What will be read in search of a configuration must be files: who opens a pipe that nobody writes to waits for ever,
 * and the process can't even end.
 */
async function mustBeReadable(cwd: string, places: readonly string[]): Promise<void> {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const paths = places.map((place) => join(folder, place))
    const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
    const wrong = found.findIndex((one) => one && !one.isFile() && !one.isDirectory())
    if (wrong >= 0)
      throw new ConfigurationError(`${paths[wrong]}, which would be read as configuration, isn't a regular file.`, {
        hint: 'Find out who put it there, then remove it; or name a configuration with --config.',
      })
    const files = paths.filter((_, index) => found[index]?.isFile())
    const own = files.find((path) => !isPackage(path))
    if (own !== undefined) await mustBeAllowed(own)
    if (files.length > 0 || folder === dirname(folder)) return
  }
}

/** A manifest that may have a configuration among other things. */
const isPackage = (path: string): boolean => /^package\.(json|yaml)$/.test(basename(path))

/** cosmiconfig passes over what it may not read. */
async function mustBeAllowed(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw new ConfigurationError(`The configuration ${path} can't be read: ${toError(error).message}.`, {
      hint: 'Let the user who runs owm read it, or name another one with --config.',
      cause: error,
    })
  })
}

/** Milliseconds within which somebody must write to a pipe. */
const longestSilence = 5_000

/** What a pipe brings, as that of `--config <(…)`. */
async function textOfPipe(path: string): Promise<string> {
  // Otherwise it would open only when somebody writes, and the process couldn't end before.
  const pipe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const chunks: Buffer[] = []
    for (let waited = 0; ; ) {
      // -1: somebody has it open and hasn't written yet. 0: nobody has.
      const { bytesRead, buffer } = await pipe.read().catch((error: unknown) => {
        if (codeOf(error) === 'EAGAIN') return { bytesRead: -1, buffer: Buffer.alloc(0) }
        throw error
      })
      if (bytesRead > 0) chunks.push(buffer.subarray(0, bytesRead))
      else if (bytesRead === 0 && (chunks.length > 0 || waited >= longestSilence)) break
      else await setTimeout(20)
      if (bytesRead === 0) waited += 20
    }
    if (chunks.length > 0) return Buffer.concat(chunks).toString()
    throw new Error('it is a pipe, and nobody writes to it')
  } finally {
    await pipe.close()
  }
}

async function mustBeTrusted(file: string): Promise<void> {
  const why = await whyNotTrusted(file)
  if (why === undefined) return
  throw new ConfigurationError(`The configuration ${file} was found, but isn't trusted: ${why}.`, {
    hint: 'If it is meant, name it with --config, or give --trust-config, or set OWM_TRUST_CONFIG=1.',
  })
}

/**
 * @param texts gets each YAML or JSON file's text, in which lines can be found; a module's value has none
 * @param isFound nobody named the file: a module is looked at before it runs
 * @param looksOnly no module runs
 */
function loaders(texts: Map<string, string>, isFound: boolean, looksOnly: boolean): Record<string, Loader> {
  const yaml: Loader = (path, text) => {
    texts.set(path, text)
    return parseYaml(text)
  }
  const json: Loader = async (path, given) => {
    const text = given.replace(/^\ufeff/, '') // as some editors begin a file
    texts.set(path, text)
    try {
      const value: unknown = JSON.parse(text)
      const isOurs = basename(path) !== 'package.json'
      const twice = isOurs && mayRepeatKeys(text, value) ? await jsonMistake(text, 'DUPLICATE_KEY') : undefined
      if (twice) throw twice
      // Long digits are read by YAML, which JSON is a part of.
      return /\d{16}/.test(text) ? parseYaml(text) : value
    } catch (error) {
      if (error instanceof SyntaxMistake) throw error
      throw (await jsonMistake(text)) ?? error
    }
  }
  // cosmiconfig's own loader for .ts writes beside the file, which may be read-only. None of its loaders finds an owm
  // that is installed globally.
  const module: Loader = async (path) => {
    if (looksOnly) throw new Error('it is code')
    if (isFound) await mustBeTrusted(path)
    return defaultExport(path)
  }
  const modules = ['.ts', '.mts', '.js', '.mjs', '.cjs'].map((ending) => [ending, module])
  return { noExt: yaml, '.yaml': yaml, '.yml': yaml, '.json': json, ...Object.fromEntries(modules) }
}

async function defaultExport(path: string): Promise<unknown> {
  const module = await importModule(path)
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module
}

function unreadable(error: Error, named: string): Error {
  if (isOwmError(error)) return error
  const file = 'filepath' in error ? String(error.filepath) : named
  const place = error instanceof SyntaxMistake ? `:${error.line}:${error.column}` : ''
  // Who reads JSON quotes what it can't read, and a password may stand there; so does cosmiconfig with package.json.
  const isQuoted = extname(file) === '.json' && (error instanceof SyntaxError || error.name === 'JSONError')
  const why = error instanceof RangeError ? tooDeep : error.message
  return new ConfigurationError(
    `The configuration ${file}${place} can't be read: ${isQuoted ? 'it is not JSON' : why}`,
    { hint: 'Correct the file, or name another one with --config.', cause: isQuoted ? undefined : error },
  )
}

// --- YAML and JSON, with their places ---

/** Where a text can't be read, and why. The message never quotes the text: a password may stand there. */
class SyntaxMistake extends Error {
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

/** Reads YAML; undefined where it holds nothing but comments. Throws SyntaxMistake. */
async function parseYaml(text: string): Promise<unknown> {
  const { document, lines } = await parsed(text, { merge: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) throw new SyntaxMistake(unquoted(problem.message), lines.linePos(problem.pos[0]))
  if (document.contents === null) return undefined
  await keepDigits(document)
  // More aliases than this are meant to fill the memory.
  const value: unknown = document.toJS({ maxAliasCount: 100_000 })
  return value
}

/** Under `locations` the numbers are somebody's data: no digit of them is lost, no zero before them either. */
async function keepDigits(document: Document): Promise<void> {
  const { isPair, isScalar, visit } = (await import('yaml')).default
  visit(document, {
    Scalar(_, node, path) {
      const { source, value } = node
      const isData = path.some((above) => isPair(above) && isScalar(above.key) && above.key.value === 'locations')
      if (!isData || typeof value !== 'number' || source === undefined) return
      // In the place of a name it is one: the id 1.10 is no 1.1.
      const above = path.at(-1)
      const isName = isPair(above) && isScalar(above.key) && /^(id|city|name|state)$/i.test(String(above.key.value))
      const exact = exactScalar(source, value)
      node.value = isName && typeof exact === 'number' && source !== String(exact) ? source : exact
    },
  })
}

/** What is wrong with JSON, or which mistake of this kind it has; undefined where nothing is found. */
async function jsonMistake(text: string, kind?: 'DUPLICATE_KEY'): Promise<SyntaxMistake | undefined> {
  const { document, lines } = await parsed(text, { schema: 'json' })
  const error = document.errors.find(({ code }) => kind === undefined || code === kind)
  return error && new SyntaxMistake(unquoted(error.message), lines.linePos(error.pos[0]))
}

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

const tooDeep = 'it is nested too deeply'

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
