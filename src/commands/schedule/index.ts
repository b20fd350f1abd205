import * as Flags from '@oclif/core/flags'
import { nothingScheduled, type ScheduleResult, showSchedule } from '../../cli/actions/schedule/show.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { limits } from '../../cli/flags.js'

export type { ScheduleResult } from '../../cli/actions/schedule/show.js'

export default class Schedule extends OwmCommand<ScheduleResult> {
  static override summary = 'Show which times were served, and what a start would do now.'
  static override description = 'Opens the outbox read-only. `schedule:` in the configuration starts nothing by itself.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override flags = {
    limit: Flags.integer({ description: 'at most this many slots', ...limits, default: 10, helpValue: 'N' }),
  }

  protected result = nothingScheduled()

  protected async work(): Promise<Done<ScheduleResult>> {
    const { flags } = await this.parse(Schedule)
    return showSchedule(flags, () => this.configureSink(flags), this.surroundings)
  }
}
