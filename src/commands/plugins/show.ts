import * as Args from '@oclif/core/args'
import { type PluginResult, show } from '../../cli/actions/plugins.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { PluginResult } from '../../cli/actions/plugins.js'

export default class PluginsShow extends OwmCommand<PluginResult> {
  static override summary = 'Show one source or sink: what it does, every option, an example.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> static-list',
    '<%= config.bin %> <%= command.id %> ./my-source.js',
  ]
  static override usage = '<%= command.id %> PLUGIN [FLAGS]'
  static override args = {
    plugin: Args.string({ ignoreStdin: true, description: "a built-in's name, a package or a path", required: true }),
  }

  protected result: PluginResult = { plugin: null }

  protected async work(): Promise<Done<PluginResult>> {
    const { flags, args } = await this.parse(PluginsShow)
    return show(this.result, args.plugin, await this.configureAll(flags))
  }
}
