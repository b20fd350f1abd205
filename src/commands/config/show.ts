import { relative } from 'node:path'
import { type Done, OwmCommand } from '../../cli/command.js'
import { table } from '../../cli/terminal.js'
import type { Shown } from '../../config/show.js'

/** What `owm config show --json` prints. */
export interface ShowResult {
  file: string | null
  pipeline: string | null
  values: Shown[]
}

export default class ConfigShow extends OwmCommand<ShowResult> {
  static override summary = 'Show the settings in force, each with where it came from.'
  static override description =
    "A flag, an environment variable, a line of the file or a default; the plugins' own options are among them, secrets aren't."
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --set source.count=5 --json',
  ]

  protected result: ShowResult = { file: null, pipeline: null, values: [] }

  protected async work(): Promise<Done<ShowResult>> {
    const { flags } = await this.parse(ConfigShow)
    this.takeFlags(flags)
    const [{ settingsIn }, { wordsOf }] = await Promise.all([
      import('../../config/show.js'),
      import('../../config/origins.js'),
    ])
    const loaded = await this.configure(flags)
    const { values, errors } = await settingsIn(loaded)
    this.result = { file: loaded.file ?? null, pipeline: loaded.pipeline ?? null, values }
    const rows = values.map(({ key, value, origin }) => {
      const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
      const from = origin.from === 'file' ? { ...origin, file: relative(loaded.cwd, origin.file) } : origin
      return [key, text.length > 80 ? `${text.slice(0, 79)}…` : text, wordsOf(from)]
    })
    return { result: this.result, summary: table(['KEY', 'VALUE', 'FROM'], rows, Number.POSITIVE_INFINITY), errors }
  }
}
