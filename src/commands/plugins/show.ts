import * as Args from '@oclif/core/args'
import { type Done, OwmCommand } from '../../cli/command.js'
import { defaultOf, harmless } from '../../cli/terminal.js'
import { ConfigurationError, UsageError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import type { PluginReport } from '../../plugins/catalogue.js'

/** What `owm plugins show --json` prints. */
export interface PluginResult {
  plugin: PluginReport | null
}

export default class PluginsShow extends OwmCommand<PluginResult> {
  static override summary = 'Show one source or sink: what it does, every option, an example.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> static-list',
    '<%= config.bin %> <%= command.id %> ./my-source.js',
  ]
  static override args = {
    name: Args.string({ ignoreStdin: true, description: "a built-in's name, a package or a path", required: true }),
  }

  protected result: PluginResult = { plugin: null }

  protected async work(): Promise<Done<PluginResult>> {
    const { flags, args } = await this.parse(PluginsShow)
    this.takeFlags(flags)
    const [{ pluginsAt, reportOf }, { isPath }] = await Promise.all([
      import('../../plugins/catalogue.js'),
      import('../../plugins/load.js'),
    ])
    const loaded = await this.configureAll(flags)
    const { name } = args
    if (isPath(name)) this.result.plugin = await reportOf(name, 'local', process.cwd())
    else {
      const all = await pluginsAt(loaded)
      this.result.plugin =
        all.find((plugin) => plugin.use === name) ?? all.find((plugin) => plugin.name === name) ?? null
      if (!this.result.plugin) {
        const near = nearest(
          name,
          all.map((plugin) => plugin.use),
        )
        throw new UsageError(`There is no plugin "${name}" that ${loaded[0]?.baseDir} can reach.`, {
          hint: near === undefined ? '`owm plugins` lists those there are.' : `Did you mean \`${near}\`?`,
        })
      }
    }
    const { plugin } = this.result
    if (plugin.error !== null)
      throw new ConfigurationError(plugin.error, { hint: 'Correct the plugin, or name another one.' })
    return { result: this.result, summary: lines(plugin) }
  }
}

function lines({ use, kind, origin, version, description, options, example }: PluginReport): string[] {
  const found = [`${use}: ${description}`, `${kind}, ${origin}${version === null ? '' : ` ${version}`}`, '']
  for (const option of options) {
    const { name, type, unit, required, description } = option
    const fallback = defaultOf(option)
    const about = [
      type,
      ...(unit === null ? [] : [unit]),
      ...(fallback === '' ? [] : [required ? fallback : `default ${fallback}`]),
    ]
    found.push(`${name}  (${about.join('; ')})`, `    ${description}`)
  }
  return [...found, '', ...example.split('\n')].map(harmless)
}
