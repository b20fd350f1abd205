import * as Flags from '@oclif/core/flags'
import { type CheckResult, check } from '../../cli/actions/config.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { shard } from '../../cli/flags.js'

export type { CheckResult } from '../../cli/actions/config.js'

export default class ConfigCheck extends OwmCommand<CheckResult> {
  static override summary = 'Check the whole configuration.'
  static override description = [
    'Reads the configuration, checks the options of its plugins, looks for the files that they name and for the folder',
    'of the outbox. Changes nothing. Without --pipeline: all pipelines.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --connect']
  static override flags = {
    connect: Flags.boolean({
      description: "also read the source's first batch, and try what a delivery needs; leaves nothing",
    }),
    shard,
  }

  protected result: CheckResult = { findings: [] }

  protected async work(): Promise<Done<CheckResult>> {
    const { flags } = await this.parse(ConfigCheck)
    return check(this.result, await this.pipelinesToCheck(flags), flags.connect, this.surroundings)
  }
}
