import * as Flags from '@oclif/core/flags'
import { nothingPlanned, type PlanResult, plan } from '../cli/actions/plan/plan.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { shard } from '../cli/flags.js'

export type { PlanResult } from '../cli/actions/plan/plan.js'

export default class Plan extends OwmCommand<PlanResult> {
  static override summary = 'Show how many tasks each coming slot brings, and their cost.'
  static override description = [
    'Reads the source once and stores nothing. Needs `schedule:` in the configuration; `plan:` has the limits and the',
    'prices of the weather API. Without --shard it is of the whole list, whichever share the configuration reads.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --hours 168 --json',
    '<%= config.bin %> <%= command.id %> --check',
  ]
  static override flags = {
    hours: Flags.integer({
      description: 'how far ahead to look, up to 744 (31 days)',
      min: 1,
      max: 744,
      default: 24,
      helpValue: 'N',
    }),
    check: Flags.boolean({ description: 'exit 65 when a limit of `plan:` is exceeded' }),
    shard,
  }

  protected result = nothingPlanned()

  protected async work(): Promise<Done<PlanResult>> {
    const { flags } = await this.parse(Plan)
    // Limits and prices are those of all shards together.
    const { shard = '0/1' } = flags
    return plan(this.result, flags, () => this.configure({ ...flags, shard }), this.surroundings)
  }
}
