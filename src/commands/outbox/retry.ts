import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { type RetryResult, retry } from '../../cli/actions/outbox/retry.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { runToChange, waiting } from '../../cli/flags.js'

export type { RetryResult } from '../../cli/actions/outbox/retry.js'

export default class OutboxRetry extends OwmCommand<RetryResult> {
  static override summary = 'Put dead tasks back, to be delivered again.'
  static override description =
    'Name them by SEQ (see `owm outbox inspect --state dead`), by run, or all of them. `owm flush` then delivers them.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 4711 4712',
    '<%= config.bin %> <%= command.id %> --run 1b4e28ba',
    '<%= config.bin %> <%= command.id %> --all',
  ]
  static override strict = false
  static override usage = '<%= command.id %> [SEQ...] [FLAGS]'
  static override args = {
    seq: Args.string({ ignoreStdin: true, description: 'a dead task, by its SEQ; more may follow' }),
  }
  static override flags = {
    run: runToChange('the dead tasks of this run: its id, or the beginning of it'),
    all: Flags.boolean({ description: 'every dead task' }),
    ...waiting,
  }

  protected override readonly changes = true
  protected result: RetryResult = { outbox: { path: null, pending: 0, dead: 0 }, retried: 0 }

  protected async work(): Promise<Done<RetryResult>> {
    const { flags, argv } = await this.parse(OutboxRetry)
    return retry(argv, flags, () => this.configureSink(flags), this.surroundings)
  }
}
