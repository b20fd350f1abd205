import * as Flags from '@oclif/core/flags'
import { type PurgeResult, purge } from '../../cli/actions/outbox.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { waiting } from '../../cli/flags.js'

export type { PurgeResult } from '../../cli/actions/outbox.js'

export default class OutboxPurge extends OwmCommand<PurgeResult> {
  static override summary = 'Remove delivered tasks from the outbox; pending ones always stay.'
  static override description =
    "Also gives the file's free space back to the disk. A slot whose tasks were removed is not read again."
  static override examples = [
    '<%= config.bin %> <%= command.id %> --older-than 7d',
    '<%= config.bin %> <%= command.id %> --dead --older-than 30d',
  ]
  static override flags = {
    'older-than': Flags.string({
      description: 'only what was stored longer ago than this, such as 90s, 30m, 12h or 7d',
      helpValue: 'AGE',
      default: '0s',
    }),
    dead: Flags.boolean({ description: 'remove dead tasks too, for good' }),
    ...waiting,
  }

  protected result: PurgeResult = { outbox: { path: null, pending: 0, dead: 0 }, removed: { delivered: 0, dead: 0 } }

  protected async work(): Promise<Done<PurgeResult>> {
    const { flags } = await this.parse(OutboxPurge)
    this.takeFlags(flags)
    return purge(flags, () => this.configureSink(flags), this.surroundings)
  }
}
