import { resolve } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { catchUps, type InitResult, init, startAgain } from '../cli/actions/init/init.js'
import { type PrintResult, print, schedulers } from '../cli/actions/init/print.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { UsageError } from '../errors/index.js'

export type { InitResult } from '../cli/actions/init/init.js'
export type { PrintResult } from '../cli/actions/init/print.js'

/** Throws UsageError for flags that would have no effect. */
function mustHaveEffect(flags: { readonly [name: string]: unknown }): void {
  const elsewhere = ['config', 'pipeline'].find((name) => flags[name] !== undefined)
  if (elsewhere !== undefined)
    throw new UsageError(`--${elsewhere} has no effect: .owmrc.yaml is written into this folder.`, {
      hint: 'Run `owm init` in the folder that it is for; --print is about a configuration that is there.',
    })
  const ignored = ['source', 'sink', 'outbox', 'set'].find((name) => flags[name] !== undefined)
  if (ignored === undefined) return
  throw new UsageError(
    `--${ignored} has no effect on the file: --list, --table, --to, --every, --catch-up and --ping have.`,
    {
      hint: 'Leave it out, and edit the file then. `owm plugins show NAME` has an example for each source and sink.',
    },
  )
}

/** What is printed names the variables and files with secrets; nobody need have set them yet. */
const asPrinted = {
  withoutSource: true,
  without: ['notify'],
  asWritten: [['sink'], ['outbox'], ['taskNamespace'], ['metrics', 'textfile']],
}

export default class Init extends OwmCommand<InitResult | PrintResult> {
  static override summary = 'Write a starter .owmrc.yaml here, or print what starts owm for it.'
  static override description =
    'On a terminal it asks what no flag answers. Each answer is tried, and what was written is shown. Passwords go ' +
    'into variables, not into the file. --print is about the configuration that `owm produce` would find here; it ' +
    'shows no secret.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --list cities.csv --to redis://127.0.0.1:6379 --every hourly',
    '<%= config.bin %> <%= command.id %> --print crontab',
  ]
  static override flags = {
    list: Flags.string({
      description: 'the list of locations: a file, the URL of an API, or postgres://… (mysql://…)',
      helpValue: 'FILE',
      exclusive: ['print'],
    }),
    table: Flags.string({
      description: 'the table of the database in --list, or a SELECT',
      helpValue: 'NAME',
      exclusive: ['print'],
    }),
    to: Flags.string({
      description: 'where the tasks go: redis://…, postgres://…, FILE.jsonl',
      helpValue: 'URL',
      exclusive: ['print'],
    }),
    every: Flags.string({
      description: 'how often, in UTC: hourly, "daily at 6", 15m, cron, none',
      helpValue: 'TIMES',
      exclusive: ['print'],
    }),
    'catch-up': Flags.option({
      options: catchUps,
      description: 'after an outage a run for all its times (latest), or for each',
      exclusive: ['print'],
    })(),
    ping: Flags.string({
      description: 'URL of a check that hears of each start',
      helpValue: 'URL',
      exclusive: ['print'],
    }),
    print: Flags.option({
      options: schedulers,
      description: 'print what starts owm on schedule, write nothing',
    })(),
  }

  protected override readonly ifInterrupted = startAgain
  protected result: InitResult | PrintResult = { path: '.owmrc.yaml', schema: 'owm.schema.json' }

  protected async work(): Promise<Done<InitResult | PrintResult>> {
    const { flags } = await this.parse(Init)
    if (flags.print === undefined) {
      mustHaveEffect(flags)
      const result = { path: resolve('.owmrc.yaml'), schema: resolve('owm.schema.json') }
      this.result = result
      return init(result, this.config.root, flags, this.asks(flags.quiet), this.surroundings)
    }
    const result: PrintResult = { scheduler: flags.print, files: [] }
    this.result = result
    return print(result, await this.configureAll({ ...flags, ...asPrinted }), flags, this.surroundings)
  }

  /** Whether to prompt for missing answers. */
  private asks(quiet: boolean): boolean {
    const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
    return isTerminal && !quiet && !this.jsonEnabled() && !process.env['CI']
  }
}
