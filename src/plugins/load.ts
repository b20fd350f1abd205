/** Loads the plugin that `use:` names: a built-in, a package or a path. */
import { createRequire } from 'node:module'
import { extname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ConfigurationError, codeOf, toError } from '../errors/index.js'
import { loadingAs } from '../errors/loading.js'
import { nearest } from '../errors/suggest.js'
import type { SinkPlugin, SourcePlugin } from '../plugin.js'
import { sinks } from '../sinks/index.js'
import { sources } from '../sources/index.js'
import { isObject } from '../tasks/json/tree.js'
import { mustBeTrusted } from '../trust.js'
import { within } from '../within.js'
import { clipped } from '../words.js'
import { builtFile, ownModules } from './installation.js'

export async function loadSource(use: string, baseDir: string): Promise<SourcePlugin> {
  const plugin = await load('source', use, baseDir, sources)
  if (plugin.kind === 'source') return plugin
  throw wrongShape('source', use, `it is a ${plugin.kind}`)
}

export async function loadSink(use: string, baseDir: string): Promise<SinkPlugin> {
  const plugin = await load('sink', use, baseDir, sinks)
  if (plugin.kind === 'sink') return plugin
  throw wrongShape('sink', use, `it is a ${plugin.kind}`)
}

export type Plugin = SourcePlugin | SinkPlugin

/** Loads a plugin of either kind. */
export async function loadPlugin(use: string, baseDir: string): Promise<Plugin> {
  return load('plugin', use, baseDir, { ...sources, ...sinks })
}

/** All plugins of a kind that come with owm. */
export async function builtIns(kind: Plugin['kind']): Promise<Plugin[]> {
  const names = Object.keys(kind === 'source' ? sources : sinks)
  return Promise.all(names.map((name) => loadPlugin(name, '.')))
}

/** What to load, as errors call it. */
type Wanted = Plugin['kind'] | 'plugin'

async function load(
  kind: Wanted,
  use: string,
  baseDir: string,
  builtIns: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Plugin> {
  const module = await findModule(kind, use, baseDir, builtIns)
  let missing: string | undefined
  try {
    const exported = defaultExport(module)
    // TypeScript's output in CommonJS wraps the default export.
    const plugin = isObject(exported) && '__esModule' in exported ? defaultExport(exported) : exported
    if (isPlugin(plugin)) return plugin
    missing = missingOf(plugin)
  } catch (error) {
    throw wrongShape(kind, use, `reading its properties threw: ${toError(error).message}`)
  }
  throw wrongShape(kind, use, `its default export has no ${missing}`)
}

/** The module itself if it has no default export. */
export const defaultExport = (module: unknown): unknown =>
  isObject(module) && 'default' in module ? module.default : module

/** Whether `use:` names a file rather than a package or a built-in. */
export const isPath = (use: string): boolean => use.startsWith('.') || isAbsolute(use)

/** `https://…`, `data:…`, `file:///…`, `git+ssh://…`, `node:fs`; npm would install some of them. */
const isAddress = (use: string): boolean => /^[a-z][a-z\d+.-]+:/i.test(use)

/** Milliseconds that a module may take to load: far more than a large package on a slow network disk needs. */
const loadMs = 30_000

async function findModule(
  kind: Wanted,
  use: string,
  baseDir: string,
  builtIns: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<unknown> {
  const builtIn = Object.hasOwn(builtIns, use) ? builtIns[use] : undefined
  if (builtIn) return builtIn()
  const file = await fileOf(kind, use, baseDir, Object.keys(builtIns))
  await mustBeTrusted(file, `The ${kind} ${use}`)
  const late = (): Error => new Error(`it didn't load within ${loadMs / 1000} s: what does its top level wait for?`)
  try {
    // Without `ref`: if nothing else is pending, the process ends at once, and cli/main says why.
    return await within({ ms: loadMs, late, ref: false }, importModule(file, `the ${kind} ${use}`))
  } catch (error) {
    throw unloadable({ kind, use, baseDir, file }, toError(error))
  }
}

/** The file of a module that isn't built in. Throws ConfigurationError. */
async function fileOf(kind: Wanted, use: string, baseDir: string, builtIns: readonly string[]): Promise<string> {
  if (isAddress(use))
    throw new ConfigurationError(`The ${kind} "${clipped(use, 60)}" is an address, and owm loads packages and files.`, {
      hint: 'Save it as a file and write its path, with ./ before it; or install its package, and write that name.',
    })
  try {
    return isPath(use) ? resolve(baseDir, use) : await packageFile(use, baseDir)
  } catch (error) {
    const near = nearest(use, builtIns)
    const [known, install] = [builtIns.join(', '), `\`npm install ${use}\``]
    throw new ConfigurationError(
      `There is no ${kind} "${use}": it's neither built in nor a package that ${baseDir} can reach.`,
      {
        hint: near
          ? `Did you mean \`${near}\`?`
          : `Built in are ${known}. A package: ${install}. A file: ./ before it.`,
        cause: error,
      },
    )
  }
}

interface Module {
  readonly kind: Wanted
  readonly use: string
  readonly baseDir: string
  readonly file: string
}

function unloadable({ kind, use, baseDir, file }: Module, error: Error): ConfigurationError {
  const fromPath = isPath(use)
  if (codeOf(error) === 'ERR_MODULE_NOT_FOUND' && fromPath && error.message.includes(`'${file}'`))
    return new ConfigurationError(`There is no ${kind} module at ${file}.`, {
      hint: `The path ${use} starts at ${baseDir}.`,
      cause: error,
    })
  if (codeOf(error) === 'ERR_UNSUPPORTED_DIR_IMPORT' && fromPath)
    return new ConfigurationError(`The ${kind} ${use} is a folder, and owm loads a file.`, {
      hint: `Write the path of its module, such as ${use.replace(/\/+$/, '')}/index.js.`,
      cause: error,
    })
  return new ConfigurationError(`The ${kind} ${use} can't be loaded: ${error.message}`, {
    hint: `Look at ${file}.`,
    cause: error,
  })
}

/** The path of a package's module. Throws Node's error if there is none. */
export async function packageFile(name: string, baseDir: string): Promise<string> {
  const from = join(baseDir, 'owm.js')
  try {
    return createRequire(from).resolve(name)
  } catch (error) {
    if (codeOf(error) !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error
    // Its `exports` may be for `import` alone, which Node resolves only for the importing module.
    const { createJiti } = await import('jiti')
    return fileURLToPath(createJiti(from).esmResolve(name))
  }
}

/**
 * Imports a module by its path; TypeScript through jiti if this Node can't import it.
 * @param name what it is, for an error if it ends the process meanwhile: `the source ./stations.mjs`
 */
export const importModule = (file: string, name: string): Promise<unknown> => loadingAs(name, () => imported(file))

async function imported(file: string): Promise<unknown> {
  const needsJiti =
    ['.ts', '.mts'].includes(extname(file)) && !('typescript' in process.features && process.features.typescript)
  if (!needsJiti) {
    provided ??= provideOwm()
    await provided
    const module: unknown = await import(pathToFileURL(file).href)
    return module
  }
  const { createJiti } = await import('jiti')
  const alias = Object.fromEntries(Object.entries(ownModules).map(([name, url]) => [name, fileURLToPath(url)]))
  const module: unknown = await createJiti(import.meta.url, { fsCache: false, moduleCache: false, alias }).import(file)
  return module
}

let provided: Promise<void> | undefined

/** Gives plugins the running owm: beside them there may be none, an older one, or another package `owm`. */
async function provideOwm(): Promise<void> {
  const module = await import('node:module')
  // Newer versions of Node have hooks that need no thread.
  const registerHooks: unknown = Reflect.get(module, 'registerHooks')
  if (typeof registerHooks !== 'function')
    module.register(pathToFileURL(builtFile('plugins/resolve-owm')), { data: ownModules })
  else {
    const { initialize, resolve } = await import('./resolve-owm.js')
    initialize(ownModules)
    registerHooks({ resolve })
  }
}

/** What a value lacks to be a plugin; undefined if nothing. May throw what a getter throws. */
function missingOf(value: unknown): string | undefined {
  if (!isObject(value)) return 'object'
  if (!('kind' in value) || (value.kind !== 'source' && value.kind !== 'sink')) return 'kind "source" or "sink"'
  if (!('name' in value) || typeof value.name !== 'string') return 'name'
  const options: unknown = 'options' in value ? value.options : undefined
  if (!isObject(options) || !('safeParse' in options)) return 'options: a zod schema'
  return 'open' in value && typeof value.open === 'function' ? undefined : 'function open'
}

const isPlugin = (value: unknown): value is Plugin => missingOf(value) === undefined

const definers = { source: 'defineSource', sink: 'defineSink', plugin: 'defineSource or defineSink' }

const wrongShape = (kind: Wanted, use: string, what: string): ConfigurationError =>
  new ConfigurationError(`The ${kind} ${use} isn't a ${kind === 'plugin' ? 'plugin' : `${kind} plugin`}: ${what}.`, {
    hint: `Its module must have \`export default ${definers[kind]}({name, description, options, open})\`.`,
  })
