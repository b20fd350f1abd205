import { resolve } from 'node:path'
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { create, type NewPluginResult } from '../../cli/actions/plugins.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { NewPluginResult } from '../../cli/actions/plugins.js'

export default class PluginsNew extends OwmCommand<NewPluginResult> {
  static override summary = 'Write a ready project for a source or sink of your own.'
  static override description =
    'A package with the plugin, a test that runs the conformance suite, a README and a licence. Nothing is overwritten.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> source ./owm-source-stations',
    '<%= config.bin %> <%= command.id %> sink ./@acme/owm-sink-queue --typescript',
  ]
  static override usage = '<%= command.id %> KIND DIR [FLAGS]'
  static override args = {
    kind: Args.string({
      ignoreStdin: true,
      description: 'source or sink',
      options: ['source', 'sink'],
      required: true,
    }),
    dir: Args.string({
      ignoreStdin: true,
      description: 'folder of the project; its last part names the plugin, one above such as @acme the scope',
      required: true,
    }),
  }
  static override flags = {
    typescript: Flags.boolean({ description: 'write it in TypeScript; without this flag, in JavaScript' }),
  }

  protected result: NewPluginResult = { path: null, package: null, files: [] }

  protected async work(): Promise<Done<NewPluginResult>> {
    const { flags, args } = await this.parse(PluginsNew)
    this.result.path = resolve(args.dir)
    const kind = args.kind === 'sink' ? 'sink' : 'source'
    return create({ kind, path: this.result.path, typescript: flags.typescript }, this.config)
  }
}
