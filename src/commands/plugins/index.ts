import { type Done, OwmCommand } from '../../cli/command.js'
import { defaultOf, harmless, table, terminalWidth } from '../../cli/terminal.js'
import type { PluginReport } from '../../plugins/catalogue.js'

/** What `owm plugins --json` prints. */
export interface PluginsResult {
  plugins: PluginReport[]
}

export default class Plugins extends OwmCommand<PluginsResult> {
  static override summary = 'List the sources and sinks there are, with their options.'
  static override description =
    'Built in, installed (packages named owm-source-… or owm-sink-…, or with the keyword owm-plugin, that the configuration can reach) or local (named by a path in the configuration).'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  protected result: PluginsResult = { plugins: [] }

  protected async work(): Promise<Done<PluginsResult>> {
    const { flags } = await this.parse(Plugins)
    this.takeFlags(flags)
    const { pluginsAt } = await import('../../plugins/catalogue.js')
    this.result.plugins = await pluginsAt(await this.configureAll(flags))
    return {
      result: this.result,
      summary: this.result.plugins.flatMap((plugin, index) => [...(index > 0 ? [''] : []), ...lines(plugin)]),
    }
  }
}

function lines({ use, kind, origin, version, description, options, error }: PluginReport): string[] {
  const title = `${use} (${[kind ?? 'plugin', origin, ...(version === null ? [] : [version])].join(', ')})`
  if (error !== null) return [harmless(title), `  ${harmless(`can't be used: ${error}`)}`]
  const rows = options.map((option) => [
    option.name,
    option.type,
    option.unit ?? '',
    defaultOf(option),
    option.description,
  ])
  const shown =
    rows.length === 0
      ? ['no options']
      : table(['OPTION', 'TYPE', 'UNIT', 'DEFAULT', 'DESCRIPTION'], rows, terminalWidth() - 2)
  return [harmless(`${title}: ${description}`), ...shown.map((line) => `  ${line}`)]
}
