/** The plugins that a configuration may use: built in, installed beside it, or named by a path in it. */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { toError } from '../errors/index.js'
import { sinks } from '../sinks/index.js'
import { sources } from '../sources/index.js'
import { isObject } from '../tasks/json/tree.js'
import { exampleOf, type OptionRow, optionRows } from './describe.js'
import { isPath, loadPlugin, packageFile } from './load.js'

/** `missing`: a package that the configuration names, but that isn't installed. */
type Origin = 'built in' | 'installed' | 'local' | 'missing'

export interface PluginReport {
  /** What stands after `use:`. */
  use: string
  /** What the plugin calls itself; null if it can't be loaded. */
  name: string | null
  kind: 'source' | 'sink' | null
  origin: Origin
  /** Of its package. */
  version: string | null
  description: string
  options: OptionRow[]
  /** YAML for a configuration. */
  example: string
  /** Why it can't be used; null if it can. */
  error: string | null
}

/**
 * All plugins that a configuration may use.
 * @param baseDir the folder of the configuration
 * @param used what the configuration names after `use:`
 */
export async function pluginsAt(baseDir: string, used: readonly string[]): Promise<PluginReport[]> {
  const installed = await packagesAt(baseDir)
  const builtIns = [...Object.keys(sources), ...Object.keys(sinks)]
  const others = [...new Set(used)].filter((use) => !builtIns.includes(use) && !installed.has(use))
  return Promise.all([
    ...builtIns.map((use) => pluginReport(use, 'built in', baseDir)),
    ...[...installed].sort().map(([use, version]) => pluginReport(use, 'installed', baseDir, version)),
    ...others.map(async (use) => pluginReport(use, await originOf(use, baseDir), baseDir)),
  ])
}

async function originOf(use: string, baseDir: string): Promise<Origin> {
  if (isPath(use)) return 'local'
  return packageFile(use, baseDir).then(
    () => 'installed',
    () => 'missing',
  )
}

/** What may stand after `use:`, without loading a plugin. `plugin`: packages whose names don't tell their kind. */
export async function namesAt(baseDir: string): Promise<Record<'source' | 'sink' | 'plugin', string[]>> {
  const installed = [...(await packagesAt(baseDir)).keys()].sort()
  const kindOf = (name: string): string => /^(?:@[^/]+\/)?owm-(source|sink)-/.exec(name)?.[1] ?? 'plugin'
  const of = (kind: string): string[] => installed.filter((name) => kindOf(name) === kind)
  return {
    source: [...Object.keys(sources), ...of('source')],
    sink: [...Object.keys(sinks), ...of('sink')],
    plugin: of('plugin'),
  }
}

/** One plugin by what stands after `use:`, whether or not a configuration names it. */
export async function pluginReport(
  use: string,
  origin: Origin,
  baseDir: string,
  version: string | null = null,
): Promise<PluginReport> {
  const report: PluginReport = {
    use,
    name: null,
    kind: null,
    origin,
    version,
    description: '',
    options: [],
    example: '',
    error: null,
  }
  try {
    const { name, kind, description, options } = await loadPlugin(use, baseDir)
    return {
      ...report,
      name,
      kind,
      description: String(description ?? ''),
      options: optionRows(options),
      example: exampleOf(kind, use, options),
    }
  } catch (error) {
    return { ...report, error: toError(error).message }
  }
}

/** Packages that are plugins by name or keyword, in all folders that Node searches: name -> version. */
async function packagesAt(baseDir: string): Promise<Map<string, string | null>> {
  const versions = new Map<string, string | null>()
  for (const folder of createRequire(join(baseDir, 'owm.js')).resolve.paths('owm') ?? []) {
    const names = (await entriesOf(folder)).filter((name) => !name.startsWith('.'))
    const scoped = await Promise.all(
      names
        .filter((name) => name.startsWith('@'))
        .map(async (scope) => (await entriesOf(join(folder, scope))).map((name) => `${scope}/${name}`)),
    )
    await Promise.all(
      [...names.filter((name) => !name.startsWith('@')), ...scoped.flat()].map(async (name) => {
        const manifest = await manifestOf(resolve(folder, name))
        // The nearest one wins, as it does for Node.
        if (
          manifest &&
          !versions.has(name) &&
          (/^(@[^/]+\/)?owm-(source|sink)-/.test(name) || manifest.keywords.includes('owm-plugin'))
        )
          versions.set(name, manifest.version)
      }),
    )
  }
  return versions
}

const entriesOf = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

async function manifestOf(folder: string): Promise<{ version: string | null; keywords: unknown[] } | undefined> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    if (!isObject(manifest)) return undefined
    const version = 'version' in manifest && typeof manifest.version === 'string' ? manifest.version : null
    return { version, keywords: 'keywords' in manifest && Array.isArray(manifest.keywords) ? manifest.keywords : [] }
  } catch {
    return undefined // no package, or one whose manifest can't be read
  }
}
