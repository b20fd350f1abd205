/** Finds and reads the configuration file. The only module that uses cosmiconfig. */
import { constants } from 'node:fs'
import { access, open, readFile } from 'node:fs/promises'
import { devNull } from 'node:os'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cosmiconfig, getDefaultSearchPlaces, type Loader } from 'cosmiconfig'
import { ConfigurationError, codeOf, isOwmError, toError } from '../../errors/index.js'
import { statIfThere } from '../../files/folders.js'
import { filtered } from '../../lists.js'
import { defaultExport, importModule } from '../../plugins/load.js'
import { mayRepeatKeys } from '../../tasks/json/keys.js'
import { isTree } from '../../tasks/json/tree.js'
import { whyNotTrusted, whyStrange } from '../../trust.js'
import { at, type Found } from '../values/origins.js'
import type { Environment } from '../values/variables.js'
import { mustBeUtf8, whyNoJson, whyNoText } from './encoding.js'
import { endedBySignals } from './signals.js'
import { jsonMistake, keyTwice, parseJson, parseYaml, SyntaxMistake, tooDeep } from './syntax.js'

/** The folder where relative paths start: for `.config/owmrc.yaml`, the one that contains `.config`. */
export const baseDirOf = (file: string): string =>
  dirname(file).endsWith('/.config') ? dirname(dirname(file)) : dirname(file)

/** The file that a flag names, or else the environment. */
export const namedConfig = (flag: string | undefined, env: Environment): string | undefined =>
  flag || env['OWM_CONFIG'] || undefined

/** Reads the named file, or the one found in `cwd` or a folder above. Throws ConfigurationError. */
export async function readConfigFile(
  named: string | undefined,
  cwd: string,
  looksOnly = false,
): Promise<Found | undefined> {
  const texts = new Map<string, string>()
  const searchPlaces = getDefaultSearchPlaces('owm')
  if (named === undefined) await mustBeReadable(cwd, searchPlaces)
  // A function, so that its errors are caught below: creating an explorer reads package.json, which may not be JSON.
  const search = async () => {
    await mustBeHarmless(looksOnly)
    const byEnding = loaders(texts, named === undefined, looksOnly)
    const options = { searchStrategy: 'project', searchPlaces, loaders: byEnding } as const
    const explorer = cosmiconfig('owm', { ...options, ignoreEmptySearchPlaces: false })
    if (named === undefined) return explorer.search(cwd)
    const filepath = resolve(cwd, named)
    if (!(await statIfThere(filepath))?.isFIFO()) return explorer.load(filepath)
    if (looksOnly) throw new Error('it is a pipe')
    const parse = byEnding[extname(filepath)] ?? byEnding['noExt']
    const config: unknown = await parse?.(filepath, await textOfPipe(filepath))
    return { filepath, config, isEmpty: config === undefined }
  }
  const found = await search().catch(async (thrown: unknown) => {
    throw await unreadable(toError(thrown), named ?? `in ${cwd}`)
  })
  if (!found && named !== undefined) throw manifestWithout(resolve(cwd, named))
  if (!found) return undefined
  const { filepath: file } = found
  if (named === undefined) await mustBeTrusted(file)
  if (found.isEmpty && file !== devNull) throw emptyConfiguration(file)
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

/** Not skipped: a configuration further up would be for other locations. */
const emptyConfiguration = (file: string): ConfigurationError =>
  new ConfigurationError(`The configuration ${file} is empty.`, {
    hint: 'Was it cut short? Write it again, as `owm init` does; or remove it. `{}` says nothing on purpose.',
  })

/** A search would pass over such a manifest. */
const manifestWithout = (file: string): ConfigurationError =>
  new ConfigurationError(`${file} has no key \`owm\`: it configures nothing.`, {
    hint: 'Put the configuration under that key, as `owm init` writes one; or name another file with --config.',
  })

/** Other configurations in the same folder; manifests aren't examined. */
async function othersBeside(file: string, places: readonly string[]): Promise<string[]> {
  const pathOf = (place: string): string => join(baseDirOf(file), place)
  const others = places.filter((place) => !isPackage(place) && pathOf(place) !== file)
  return filtered(others, (place) => isFileAt(pathOf(place)))
}

/** The configurations in a folder itself, in the order of the search, whose first one counts. */
export async function configurationsIn(folder: string): Promise<string[]> {
  const files = getDefaultSearchPlaces('owm').map((place) => join(folder, place))
  return filtered(files, async (file) => (await isFileAt(file)) && (!isPackage(file) || configuresOwm(file)))
}

/** Whether a manifest has a part for owm; one that can't be parsed has none that could be read. */
async function configuresOwm(manifest: string): Promise<boolean> {
  const text = await readFile(manifest, 'utf8')
  const parse = extname(manifest) === '.json' ? parseJson : parseYaml
  const value: unknown = await Promise.resolve(parse(text)).catch(() => undefined)
  return ownPart(manifest, value) !== undefined
}

const isFileAt = async (path: string): Promise<boolean> => (await statIfThere(path))?.isFile() ?? false

/**
 * Everything that the search reads must be a regular file: opening a pipe without a writer blocks a thread for ever,
 * and the process can't exit.
 */
async function mustBeReadable(cwd: string, places: readonly string[]): Promise<void> {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const paths = places.map((place) => join(folder, place))
    const stats = await Promise.all(paths.map((path) => statIfThere(path)))
    const wrong = stats.findIndex((each) => each && !each.isFile() && !each.isDirectory())
    if (wrong >= 0) throw notRegular(paths[wrong] ?? folder)
    const files = paths.filter((_, index) => stats[index]?.isFile())
    const own = files.find((path) => !isPackage(path))
    if (own !== undefined) await mustBeAllowed(own)
    if (files.length > 0 || folder === dirname(folder)) return
  }
}

/** Files in the working directory that cosmiconfig always reads as its own settings. */
const settingsPlaces = [
  ...['package.json', 'package.yaml'],
  ...['json', 'yaml', 'yml', 'js', 'ts', 'cjs', 'mjs'].map((ending) => `.config/config.${ending}`),
]

/** cosmiconfig runs those that are code, even with --config: refuses any that another user could have put there. */
async function mustBeHarmless(looksOnly: boolean): Promise<void> {
  for (const file of settingsPlaces.map((place) => resolve(place))) {
    const found = await statIfThere(file)
    if (found && !found.isFile() && !found.isDirectory()) throw notRegular(file)
    if (!found?.isFile() || !/\.[cm]?[jt]s$/.test(file)) continue
    if (looksOnly) throw new Error('it is code')
    // guard: settings-of-strangers
    const why = await whyStrange(file)
    if (why !== undefined)
      throw new ConfigurationError(`${file} would be run as settings of cosmiconfig, but isn't trusted: ${why}.`, {
        hint: 'Find out who put it there, then remove it; or start owm in another folder.',
      })
  }
}

const notRegular = (file: string): ConfigurationError =>
  new ConfigurationError(`${file}, which would be read as configuration, isn't a regular file.`, {
    hint: 'Find out who put it there, then remove it; or name a configuration with --config.',
  })

/** A manifest, which may contain a configuration among other things. */
const isPackage = (path: string): boolean => /^package\.(json|yaml)$/.test(basename(path))

/** cosmiconfig silently skips unreadable files. */
async function mustBeAllowed(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw new ConfigurationError(`The configuration ${path} can't be read: ${toError(error).message}.`, {
      hint: 'Let the user who runs owm read it, or name another one with --config.',
      cause: error,
    })
  })
}

/** How long to wait for a pipe's writer, in milliseconds. */
const writerTimeoutMs = 5_000

/** Reads a pipe to its end, such as that of `--config <(…)`. */
async function textOfPipe(path: string): Promise<string> {
  // Non-blocking: otherwise `open` waits for a writer, and the process can't exit meanwhile.
  const pipe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const chunks: Buffer[] = []
    for (let waited = 0; ; ) {
      // -1: a writer has it open, but hasn't written yet. 0: there is no writer.
      const { bytesRead, buffer } = await pipe.read().catch((error: unknown) => {
        if (codeOf(error) === 'EAGAIN') return { bytesRead: -1, buffer: Buffer.alloc(0) }
        throw error
      })
      if (bytesRead > 0) chunks.push(buffer.subarray(0, bytesRead))
      else if (bytesRead === 0 && (chunks.length > 0 || waited >= writerTimeoutMs)) break
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

/** The length of a text, in UTF-16 units, that takes a large part of a second to parse. */
const longText = 256 * 1024

/**
 * @param texts receives the text of each YAML or JSON file, to find lines in; a module has none
 * @param isFound the file wasn't named: a module must be trusted before it runs
 * @param looksOnly modules don't run
 */
function loaders(texts: Map<string, string>, isFound: boolean, looksOnly: boolean): Record<string, Loader> {
  const yaml: Loader = (path, text) => {
    texts.set(path, text)
    return parseYaml(text)
  }
  const json: Loader = async (path, content) => {
    const text = content.replace(/^\ufeff/, '') // a byte order mark
    texts.set(path, text)
    try {
      const value = await parseJson(text)
      // Only owm's part of a manifest is checked.
      const part = isPackage(path) ? 'owm' : undefined
      const twice = mayRepeatKeys(text, value) ? await keyTwice(text, part) : undefined
      if (twice) throw twice
      return value
    } catch (error) {
      if (error instanceof SyntaxMistake) throw error
      throw (await jsonMistake(text)) ?? error
    }
  }
  // cosmiconfig's own loader for .ts writes beside the file, whose folder may be read-only. None of its loaders
  // resolves an owm that is installed globally.
  const module: Loader = async (path) => {
    if (looksOnly) throw new Error('it is code')
    if (isFound) await mustBeTrusted(path)
    return defaultExport(await printingAside(() => importModule(path, `the configuration ${path}`)))
  }
  const inUtf8 =
    (load: Loader): Loader =>
    async (path, text) => {
      const why = whyNoText(text)
      if (why !== undefined) throw new SyntaxMistake(why, { line: 1, col: 1 })
      const value: unknown = await (text.length > longText
        ? endedBySignals(async () => load(path, text))
        : load(path, text))
      const own = ownPart(path, value)
      await mustBeUtf8(path, text, own)
      // cosmiconfig would look further up.
      if (own === null) throw emptyConfiguration(path)
      return value
    }
  const modules = ['.ts', '.mts', '.js', '.mjs', '.cjs'].map((ending) => [ending, inUtf8(module)])
  const [yamlFile, jsonFile] = [inUtf8(yaml), inUtf8(json)]
  return { noExt: yamlFile, '.yaml': yamlFile, '.yml': yamlFile, '.json': jsonFile, ...Object.fromEntries(modules) }
}

const { log, info, debug } = console

/** Standard output is for results: what a configuration prints while it is loaded goes to standard error. */
async function printingAside<T>(load: () => Promise<T>): Promise<T> {
  const aside = console.error
  Object.assign(console, { log: aside, info: aside, debug: aside })
  return load().finally(() => Object.assign(console, { log, info, debug }))
}

/** The part of a file that configures owm. */
const ownPart = (path: string, value: unknown): unknown => (isPackage(path) ? at(value, ['owm']) : value)

async function unreadable(error: Error, named: string): Promise<Error> {
  if (isOwmError(error)) return error
  const file = 'filepath' in error ? String(error.filepath) : named
  const place = error instanceof SyntaxMistake ? `:${error.line}:${error.column}` : ''
  // JSON parsers quote the text they fail on, which may hold a password; so does cosmiconfig for package.json.
  const isQuoted = extname(file) === '.json' && (error instanceof SyntaxError || error.name === 'JSONError')
  const why = error instanceof RangeError ? tooDeep : isQuoted ? await whyNoJson(file) : error.message
  return new ConfigurationError(`The configuration ${file}${place} can't be read: ${why}`, {
    hint: 'Correct the file, or name another one with --config.',
    cause: isQuoted ? undefined : error,
  })
}
