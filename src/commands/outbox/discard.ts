import * as Flags from '@oclif/core/flags'
import { type DiscardResult, discard, nothingDiscarded } from '../../cli/actions/outbox/discard.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { dryRun, runToChange, waiting } from '../../cli/flags.js'

export type { DiscardResult } from '../../cli/actions/outbox/discard.js'

export default class OutboxDiscard extends OwmCommand<DiscardResult> {
  static override summary = "Give up runs that aren't done: what is pending isn't delivered."
  static override description = [
    'Asks first; where there is no terminal, --yes is needed. The ledger keeps the runs as discarded.',
    '`owm produce --slot TIME --again` serves such a slot after all.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --pending --dry-run',
    '<%= config.bin %> <%= command.id %> --run 1b4e28ba',
    '<%= config.bin %> <%= command.id %> --older-than 12h --yes',
  ]
  static override flags = {
    run: runToChange('this run: its id, or the beginning of it'),
    pending: Flags.boolean({ description: 'every run that has tasks pending, or is not read to its end' }),
    'older-than': Flags.string({
      description: 'every run that is not done and began longer ago than this, such as 30m, 12h or 7d',
      helpValue: 'AGE',
    }),
    'dry-run': dryRun('change nothing; say what would be discarded'),
    yes: Flags.boolean({ char: 'y', description: "don't ask" }),
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingDiscarded()

  protected async work(): Promise<Done<DiscardResult>> {
    const { flags } = await this.parse(OutboxDiscard)
    return discard(flags, () => this.configureSink(flags), this.surroundings)
  }
}
