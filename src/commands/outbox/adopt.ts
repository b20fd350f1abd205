import * as Flags from '@oclif/core/flags'
import { type AdoptResult, adopt, nothingAdopted } from '../../cli/actions/adopt.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { waiting } from '../../cli/flags.js'

export type { AdoptResult } from '../../cli/actions/adopt.js'

export default class OutboxAdopt extends OwmCommand<AdoptResult> {
  static override summary = "Let this configuration go on with another one's outbox."
  static override description = [
    'An outbox serves one owner: a pipeline, by its name, or else a configuration, by the path of its file.',
    'Use this after the file, the folder or the pipeline was renamed or moved.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %> --owner']
  static override flags = {
    owner: Flags.boolean({ description: 'make this configuration the owner of the outbox' }),
    ...waiting,
  }

  protected result = nothingAdopted()

  protected async work(): Promise<Done<AdoptResult>> {
    const { flags } = await this.parse(OutboxAdopt)
    this.takeFlags(flags)
    return adopt(flags, () => this.configureSink(flags), this.surroundings)
  }
}
