/** From the name after `use:` to a plugin: built-ins, packages and paths go through the same door. */
import { createRequire } from 'node:module'
import { extname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, codeOf, toError } from './errors.js'
import { nearest } from './nearest.js'
import type { SinkPlugin, SourcePlugin } from './plugin.js'
import { sinks } from './sinks/index.js'
import { sources } from './sources/index.js'

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

type Plugin = SourcePlugin | SinkPlugin

async function load(kind: Plugin['kind'], use: string, baseDir: string, builtIns: Readonly<Record<string, () => Promise<unknown>>>): Promise<Plugin> {
  const module = await find(kind, use, baseDir, builtIns)
  const plugin = typeof module === 'object' && module !== null && 'default' in module ? module.default : module
  if (!isPlugin(plugin)) throw wrongShape(kind, use, 'its default export has no kind, name, options or open()')
  return plugin
}

async function find(kind: Plugin['kind'], use: string, baseDir: string, builtIns: Readonly<Record<string, () => Promise<unknown>>>): Promise<unknown> {
  const builtIn = Object.hasOwn(builtIns, use) ? builtIns[use] : undefined
  if (builtIn) return builtIn()
  const isPath = use.startsWith('.') || isAbsolute(use)
  let file: string
  try {
    file = isPath ? resolve(baseDir, use) : createRequire(join(baseDir, 'owm.js')).resolve(use)
  } catch (error) {
    const near = nearest(use, Object.keys(builtIns))
    throw new ConfigurationError(`There is no ${kind} "${use}": it's neither built in nor a package that ${baseDir} can reach.`, {
      hint: near
        ? `Did you mean \`${near}\`?`
        : `Built in: ${Object.keys(builtIns).join(', ')}. A package: \`npm install ${use}\`. A file: start its path with ./`,
      cause: error,
    })
  }
  try {
    return await importModule(file)
  } catch (thrown) {
    const error = toError(thrown)
    if (codeOf(error) === 'ERR_MODULE_NOT_FOUND' && isPath && error.message.includes(file))
      throw new ConfigurationError(`There is no ${kind} module at ${file}.`, { hint: `The path ${use} starts at ${baseDir}.`, cause: error })
    throw new ConfigurationError(`The ${kind} ${use} can't be loaded: ${error.message}`, { hint: `Look at ${file}.`, cause: error })
  }
}

/** Imports a module by its path; TypeScript through jiti where this Node can't by itself. */
export async function importModule(file: string): Promise<unknown> {
  const needsJiti = ['.ts', '.mts'].includes(extname(file)) && !('typescript' in process.features && process.features.typescript)
  if (!needsJiti) {
    const module: unknown = await import(pathToFileURL(file).href)
    return module
  }
  const { createJiti } = await import('jiti')
  const module: unknown = await createJiti(import.meta.url, { fsCache: false, moduleCache: false }).import(file)
  return module
}

function isPlugin(value: unknown): value is Plugin {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    (value.kind === 'source' || value.kind === 'sink') &&
    'name' in value &&
    typeof value.name === 'string' &&
    'options' in value &&
    typeof value.options === 'object' &&
    value.options !== null &&
    'safeParse' in value.options &&
    'open' in value &&
    typeof value.open === 'function'
  )
}

const wrongShape = (kind: string, use: string, what: string): ConfigurationError =>
  new ConfigurationError(`The ${kind} ${use} isn't a ${kind} plugin: ${what}.`, {
    hint: `Its module must have \`export default define${kind === 'source' ? 'Source' : 'Sink'}({name, description, options, open})\`.`,
  })
