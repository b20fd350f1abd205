/** `owm plugins …`: lists sources and sinks, shows one, starts a new one. */
import type { Loaded } from '../../config/load.js'
import { ConfigurationError, UsageError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import { compact } from '../../lists.js'
import { type PluginReport, pluginReport, pluginsAt } from '../../plugins/catalogue.js'
import { isPath } from '../../plugins/load.js'
import { type Project, writeProject } from '../../plugins/scaffold.js'
import type { Done } from '../command.js'
import { defaultOf, harmless } from '../format.js'

/** What `owm plugins --json` prints. */
export interface PluginsResult {
  plugins: PluginReport[]
}

export async function list(pipelines: readonly Loaded[]): Promise<Done<PluginsResult>> {
  const plugins = await reachable(pipelines)
  return { result: { plugins }, summary: plugins.map(overview) }
}

/** All plugins that these pipelines can load. */
async function reachable(pipelines: readonly Loaded[]): Promise<PluginReport[]> {
  const uses = pipelines.flatMap(({ settings }) => [settings.source?.use, settings.sink?.use])
  return pluginsAt(
    pipelines[0]?.baseDir ?? process.cwd(),
    uses.filter((use) => use !== undefined),
  )
}

/** One line a plugin; `owm plugins show NAME` has the options. */
function overview({ use, kind, origin, version, description, error }: PluginReport): string {
  const about = compact(kind ?? 'plugin', origin, version).join(', ')
  return harmless(`${use} (${about}): ${error === null ? description : `can't be used: ${error}`}`)
}

/** What `owm plugins show --json` prints. */
export interface PluginResult {
  plugin: PluginReport | null
}

/** Fills `result` even if the plugin can't be used. */
export async function show(
  result: PluginResult,
  name: string,
  pipelines: readonly Loaded[],
): Promise<Done<PluginResult>> {
  const plugin = await find(name, pipelines)
  result.plugin = plugin
  if (plugin.error !== null)
    throw new ConfigurationError(plugin.error, { hint: 'Correct the plugin, or name another one.' })
  return { result, summary: details(plugin) }
}

/** Finds a plugin by its path, by its `use:`, or by its own name. */
async function find(name: string, pipelines: readonly Loaded[]): Promise<PluginReport> {
  if (isPath(name)) return pluginReport(name, 'local', process.cwd())
  const all = await reachable(pipelines)
  const match = all.find((plugin) => plugin.use === name) ?? all.find((plugin) => plugin.name === name)
  if (match) return match
  const near = nearest(
    name,
    all.map(({ use }) => use),
  )
  throw new UsageError(`There is no plugin "${name}" that ${pipelines[0]?.baseDir} can reach.`, {
    hint: near === undefined ? '`owm plugins` lists all of them.' : `Did you mean \`${near}\`?`,
  })
}

function details({ use, kind, origin, version, description, options, example }: PluginReport): string[] {
  const lines = [`${use}: ${description}`, `${kind}, ${origin}${version === null ? '' : ` ${version}`}`, '']
  for (const option of options) {
    const { name, type, unit, required, description } = option
    const fallback = defaultOf(option)
    const about = compact(type, unit, fallback !== '' && (required ? fallback : `default ${fallback}`))
    lines.push(`${name}  (${about.join('; ')})`, `    ${description}`)
  }
  return [...lines, '', ...example.split('\n')].map(harmless)
}

/** What `owm plugins new --json` prints. */
export interface NewPluginResult {
  path: string | null
  /** Its npm name. */
  package: string | null
  files: string[]
}

export async function create(project: Project, owm: { root: string; version: string }): Promise<Done<NewPluginResult>> {
  const { path } = project
  const { name, files } = await writeProject(project, owm)
  const summary = [
    `Wrote ${name} to ${path}: ${files.join(', ')}.`,
    'Go there, then `npm link owm-producer` and `npm test`.',
  ]
  return { result: { path, package: name, files }, summary }
}
