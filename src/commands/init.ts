import { resolve } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { type InitResult, init } from '../cli/actions/init/init.js'
import { type PrintResult, print, schedulers } from '../cli/actions/init/print.js'
import { type Done, OwmCommand } from '../cli/command.js'

export type { InitResult } from '../cli/actions/init/init.js'
export type { PrintResult } from '../cli/actions/init/print.js'

export default class Init extends OwmCommand<InitResult | PrintResult> {
  static override summary = 'Write a commented starter .owmrc.yaml into this folder; or print what starts owm for it.'
  static override description =
    'On a terminal it asks what no flag answers, tries each answer, and shows what it wrote. Passwords go into ' +
    'variables, not into the file. With --print it writes nothing, but prints what to install for the configuration ' +
    'that `owm produce` would find here. Variables are named; their values are never shown, nor secrets.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --list cities.csv --to redis://127.0.0.1:6379 --every hourly',
    '<%= config.bin %> <%= command.id %> --print crontab',
  ]
  static override flags = {
    list: Flags.string({
      description: 'the list of locations: a file, or the URL of an API',
      helpValue: 'FILE',
      exclusive: ['print'],
    }),
    to: Flags.string({
      description: 'where the tasks go: redis://…, postgres://…, jsonl, or a file that ends in .jsonl',
      helpValue: 'URL',
      exclusive: ['print'],
    }),
    every: Flags.string({
      description: 'how often: hourly, "daily at 6", 15m, 6h, "0 */6 * * *" or none; times are UTC',
      helpValue: 'TIMES',
      exclusive: ['print'],
    }),
    ping: Flags.string({
      description: 'URL of a check that hears of each start, as healthchecks.io has them',
      helpValue: 'URL',
      exclusive: ['print'],
    }),
    print: Flags.option({
      options: schedulers,
      description: 'print what to install so that owm is started on schedule',
    })(),
  }

  protected result: InitResult | PrintResult = { path: '.owmrc.yaml', schema: 'owm.schema.json' }

  protected async work(): Promise<Done<InitResult | PrintResult>> {
    const { flags } = await this.parse(Init)
    this.takeFlags(flags)
    if (flags.print === undefined) {
      const result = { path: resolve('.owmrc.yaml'), schema: resolve('owm.schema.json') }
      this.result = result
      return init(result, this.config.root, flags, this.asks(flags.quiet), this.surroundings)
    }
    const result: PrintResult = { scheduler: flags.print, files: [] }
    this.result = result
    const shown = { ...flags, withoutSource: true, asWritten: ['sink', 'outbox', 'taskNamespace'] }
    return print(result, await this.configureAll(shown), flags, this.surroundings)
  }

  /** Whether somebody is there to answer. */
  private asks(quiet: boolean): boolean {
    const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
    return isTerminal && !quiet && !this.jsonEnabled() && !process.env['CI']
  }
}
