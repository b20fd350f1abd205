import * as Flags from '@oclif/core/flags'
import { nothingSent } from '../cli/actions/delivery.js'
import { type FlushResult, flush } from '../cli/actions/flush.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { dryRun, limits, waiting } from '../cli/flags.js'
import { observed } from '../cli/observed.js'

export type { FlushResult } from '../cli/actions/flush.js'

export default class Flush extends OwmCommand<FlushResult> {
  static override summary = 'Deliver what is pending in the outbox.'
  static override description =
    'For recovery by hand: what the sink has lost is delivered again, too, where it is younger than a day and ' +
    'still in the outbox. Safe at any time: while another owm holds the outbox it says so and exits 75, or waits.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 1000',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]
  static override flags = {
    limit: Flags.integer({ description: 'at most this many tasks', ...limits, helpValue: 'N' }),
    'dry-run': dryRun('write nothing anywhere, ask no sink; say what is pending'),
    force: Flags.boolean({
      description: 'try the sink even if its circuit is open; at a terminal it is probed once anyway',
    }),
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingSent()

  protected async work(): Promise<Done<FlushResult>> {
    const { flags } = await this.parse(Flush)
    const configure = (only?: readonly string[]) => this.configureSink({ ...flags, only, delivers: !flags['dry-run'] })
    if (flags['dry-run']) return flush(this.result, flags, configure, this.surroundings)
    return observed(this.result, configure, this.surroundings, (...given) => flush(this.result, flags, ...given))
  }
}
