import { list, type PluginsResult } from '../../cli/actions/plugins.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { PluginsResult } from '../../cli/actions/plugins.js'

export default class Plugins extends OwmCommand<PluginsResult> {
  static override summary = 'List all sources and sinks, a line each.'
  static override description = [
    'Built in, installed (packages that the configuration can import, named owm-source-… or owm-sink-… or with the',
    'keyword owm-plugin), or local (the configuration names their path). `owm plugins show NAME` has the options.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  protected result: PluginsResult = { plugins: [] }

  protected async work(): Promise<Done<PluginsResult>> {
    const { flags } = await this.parse(Plugins)
    return list(await this.configureAll(flags))
  }
}
