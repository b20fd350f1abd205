import * as Flags from '@oclif/core/flags'
import { type FlushResult, flush, nothingFlushed } from '../cli/actions/flush.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { dryRun, waiting } from '../cli/flags.js'

export type { FlushResult } from '../cli/actions/flush.js'

export default class Flush extends OwmCommand<FlushResult> {
  static override summary = 'Deliver what is pending in the outbox.'
  static override description =
    'For recovery by hand. Safe at any time: while another owm holds the outbox it says so and exits 75, or waits.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 1000',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]
  static override flags = {
    limit: Flags.integer({ description: 'at most this many tasks', min: 1, helpValue: 'N' }),
    'dry-run': dryRun('write nothing anywhere; say what would be delivered'),
    force: Flags.boolean({
      description: 'try the sink even if its circuit is open; at a terminal it is probed once anyway',
    }),
    ...waiting,
  }

  protected result = nothingFlushed()

  protected async work(): Promise<Done<FlushResult>> {
    const { flags } = await this.parse(Flush)
    this.takeFlags(flags)
    return flush(this.result, flags, () => this.configureSink(flags, !flags['dry-run']), this.surroundings)
  }
}
