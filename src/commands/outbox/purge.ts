import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../../cli/command.js'
import { plural } from '../../cli/terminal.js'
import { UsageError } from '../../errors/index.js'

/** What `owm outbox purge --json` prints. */
export interface PurgeResult {
  outbox: { path: string | null; pending: number; dead: number }
  removed: { delivered: number; dead: number }
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export default class OutboxPurge extends OwmCommand<PurgeResult> {
  static override summary = 'Remove delivered tasks from the outbox; pending ones always stay.'
  static override description =
    "Also gives the file's free space back to the disk. A slot whose tasks are gone is not read again."
  static override examples = [
    '<%= config.bin %> <%= command.id %> --older-than 7d',
    '<%= config.bin %> <%= command.id %> --dead --older-than 30d',
  ]
  static override flags = {
    'older-than': Flags.string({
      description: 'only what was stored longer ago, such as 90s, 30m, 12h or 7d',
      helpValue: 'AGE',
      default: '0s',
    }),
    dead: Flags.boolean({ description: 'give up dead tasks too' }),
    wait: Flags.boolean({ description: 'wait while another owm holds the outbox' }),
  }

  protected result: PurgeResult = { outbox: { path: null, pending: 0, dead: 0 }, removed: { delivered: 0, dead: 0 } }

  protected async work(): Promise<Done<PurgeResult>> {
    const { flags } = await this.parse(OutboxPurge)
    this.takeFlags(flags)
    const [, number, unit] = /^(\d+)([smhd])$/.exec(flags['older-than']) ?? []
    const size = units[unit ?? '']
    if (size === undefined)
      throw new UsageError(`--older-than ${flags['older-than']} is no age.`, {
        hint: 'A number and a unit are expected: 90s, 30m, 12h or 7d.',
      })
    const outbox = await this.openOutbox(await this.configure(flags), flags.wait)
    try {
      const removed = await outbox.purge({ before: Date.now() - Number(number) * size, dead: flags.dead })
      this.result = {
        outbox: { path: outbox.path, pending: outbox.pending, dead: await outbox.deadLetters.count() },
        removed,
      }
      return {
        result: this.result,
        summary: [`${plural(removed.delivered, 'delivered task')} and ${plural(removed.dead, 'dead task')} removed`],
      }
    } finally {
      await outbox.close()
    }
  }
}
