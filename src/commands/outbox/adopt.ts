import * as Flags from '@oclif/core/flags'
import { type AdoptFlags, type AdoptResult, adopt, froms, nothingAdopted } from '../../cli/actions/outbox/adopt.js'
import { type BaseFlags, type Done, OwmCommand } from '../../cli/command.js'
import { waiting } from '../../cli/flags.js'

export type { AdoptResult } from '../../cli/actions/outbox/adopt.js'

export default class OutboxAdopt extends OwmCommand<AdoptResult> {
  static override summary = "Go on with another configuration's outbox, or with another sink."
  static override description = [
    'An outbox serves one owner: a pipeline, by its name, or else a configuration, by the path of its file.',
    'Use --owner after the file, the folder or the pipeline was renamed or moved.',
    'An outbox is delivered to one sink. Where the configuration names another one while tasks are pending,',
    '--sink --from says what that gets.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --owner',
    '<%= config.bin %> <%= command.id %> --sink --from pending',
  ]
  static override flags = {
    owner: Flags.boolean({ description: 'make this configuration the owner of the outbox' }),
    sink: Flags.boolean({ description: "make this configuration's sink that of the outbox" }),
    from: Flags.option({
      options: froms,
      description: 'what the sink gets: what is pending, all of the runs with pending tasks, or all that is kept',
      helpValue: 'WHAT',
    })(),
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingAdopted()

  protected async work(): Promise<Done<AdoptResult>> {
    // Its --sink replaces the one of all commands.
    const flags: AdoptFlags & Omit<BaseFlags, 'sink'> = (await this.parse(OutboxAdopt)).flags
    return adopt(flags, () => this.configureSink({ ...flags, sink: undefined }), this.surroundings)
  }
}
