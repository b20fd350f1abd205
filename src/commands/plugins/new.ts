import { resolve } from 'node:path'
import * as Args from '@oclif/core/args'
import { type Done, OwmCommand } from '../../cli/command.js'

/** What `owm plugins new --json` prints. */
export interface NewPluginResult {
  path: string | null
  /** Name of its package. */
  package: string | null
  files: string[]
}

export default class PluginsNew extends OwmCommand<NewPluginResult> {
  static override summary = 'Write a ready project for a source or sink of your own.'
  static override description =
    'A package with the plugin, a test that runs the conformance suite, and a README. Nothing is overwritten.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> source ./owm-source-stations',
    '<%= config.bin %> <%= command.id %> sink ./owm-sink-queue',
  ]
  static override args = {
    kind: Args.string({
      ignoreStdin: true,
      description: 'what it shall be',
      options: ['source', 'sink'],
      required: true,
    }),
    dir: Args.string({
      ignoreStdin: true,
      description: 'folder of the project; its last part names the plugin',
      required: true,
    }),
  }

  protected result: NewPluginResult = { path: null, package: null, files: [] }

  protected async work(): Promise<Done<NewPluginResult>> {
    const { flags, args } = await this.parse(PluginsNew)
    this.takeFlags(flags)
    const { writeProject } = await import('../../plugins/scaffold.js')
    this.result.path = resolve(args.dir)
    const { name, files } = await writeProject(args.kind === 'sink' ? 'sink' : 'source', this.result.path, {
      root: this.config.root,
      version: this.config.version,
    })
    this.result = { ...this.result, package: name, files }
    return {
      result: this.result,
      summary: [
        `Wrote ${name} to ${this.result.path}: ${files.join(', ')}.`,
        'Go there, then `npm install` and `npm test`.',
      ],
    }
  }
}
