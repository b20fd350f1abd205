import { resolve } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { type InitResult, init } from '../cli/actions/config.js'
import { type PrintResult, print, schedulers } from '../cli/actions/print.js'
import { type Done, OwmCommand } from '../cli/command.js'

export type { InitResult } from '../cli/actions/config.js'
export type { PrintResult } from '../cli/actions/print.js'

export default class Init extends OwmCommand<InitResult | PrintResult> {
  static override summary = 'Write a commented starter .owmrc.yaml into this folder; or print what starts owm for it.'
  static override description =
    'With --print it writes nothing, but prints what to install: lines for `crontab -e`, a service and a timer of ' +
    'systemd, or a CronJob of Kubernetes, with the paths, the schedule and the pipelines of the configuration that ' +
    '`owm produce` would find here, or of --config. Variables are named; their values are never shown, nor secrets.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --print crontab',
    '<%= config.bin %> <%= command.id %> --print kubernetes --config /etc/owm/owm.yaml > owm.yaml',
  ]
  static override flags = {
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
      return init(result, this.config.root, this.surroundings)
    }
    const result: PrintResult = { scheduler: flags.print, files: [] }
    this.result = result
    const shown = { ...flags, withoutSource: true, asWritten: ['sink', 'outbox', 'taskNamespace'] }
    return print(result, await this.configureAll(shown), flags, this.surroundings)
  }
}
