import * as Flags from '@oclif/core/flags'
import { runOnSchedule, type ScheduleRunResult } from '../../cli/actions/schedule/run.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { shard } from '../../cli/flags.js'

export type { ScheduleRunResult } from '../../cli/actions/schedule/run.js'

export default class ScheduleRun extends OwmCommand<ScheduleRunResult> {
  static override summary = 'Start at each scheduled time: for where there is no cron.'
  static override description = [
    'Serves what is due, as `owm produce` does, then waits for the next scheduled time. A start that fails with what',
    'may pass is repeated after a minute; any other failure ends it with its exit code.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --quiet']
  static override flags = {
    shard,
    strict: Flags.boolean({ description: 'count a start in which a location was rejected as failed' }),
  }

  protected override readonly printsLines = true
  protected override readonly changes = true
  protected result: ScheduleRunResult = { starts: 0, failed: 0 }

  protected async work(): Promise<Done<ScheduleRunResult>> {
    const { flags } = await this.parse(ScheduleRun)
    const configure = (only?: readonly string[]) => this.configure({ ...flags, produces: true, only, delivers: true })
    return runOnSchedule(this.result, flags, configure, {
      ...this.surroundings,
      tell: (...told) => this.tell(...told),
    })
  }
}
