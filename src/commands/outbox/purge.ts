import * as Flags from '@oclif/core/flags'
import { canAsk } from '../../cli/actions/outbox/ask.js'
import { nothingPurged, type PurgeResult, purge } from '../../cli/actions/outbox/purge.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { dryRun, waiting } from '../../cli/flags.js'

export type { PurgeResult } from '../../cli/actions/outbox/purge.js'

export default class OutboxPurge extends OwmCommand<PurgeResult> {
  static override summary = 'Remove delivered tasks from the outbox; pending ones always stay.'
  static override description = [
    "Also gives the file's free space back to the disk. A slot whose tasks were removed is not read again, and what",
    "the sink loses of them can't be delivered again. At a terminal it asks first.",
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --older-than 7d',
    '<%= config.bin %> <%= command.id %> --dead --older-than 30d --dry-run',
  ]
  static override flags = {
    'older-than': Flags.string({
      description: 'only what was stored longer ago than this, such as 90s, 30m, 12h or 7d',
      helpValue: 'AGE',
      default: '0s',
    }),
    dead: Flags.boolean({ description: 'remove dead tasks too, for good' }),
    'dry-run': dryRun('remove nothing; say what would be removed'),
    yes: Flags.boolean({ char: 'y', description: 'remove without asking' }),
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingPurged()

  protected async work(): Promise<Done<PurgeResult>> {
    const { flags } = await this.parse(OutboxPurge)
    const asks = canAsk() && !this.jsonEnabled()
    return purge(flags, () => this.configureSink(flags), this.surroundings, asks)
  }
}
