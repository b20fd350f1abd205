import { type ShowResult, show } from '../../cli/actions/config.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { ShowResult } from '../../cli/actions/config.js'

export default class ConfigShow extends OwmCommand<ShowResult> {
  static override summary = 'Show the settings in force, and where each came from.'
  static override description = [
    'From a flag, an environment variable, a line of the file, or a default.',
    "Includes the plugins' own options; secrets are masked.",
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --set source.count=5 --json',
  ]

  protected result: ShowResult = { file: null, pipeline: null, values: [] }

  protected async work(): Promise<Done<ShowResult>> {
    const { flags } = await this.parse(ConfigShow)
    return show(await this.configure(flags))
  }
}
