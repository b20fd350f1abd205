import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../../cli/command.js'
import { plural } from '../../cli/terminal.js'
import { UsageError } from '../../errors/index.js'

/** What `owm outbox retry --json` prints. */
export interface RetryResult {
  outbox: { path: string | null; pending: number; dead: number }
  retried: number
}

export default class OutboxRetry extends OwmCommand<RetryResult> {
  static override summary = 'Put dead tasks back, to be handed over again.'
  static override description =
    'Names them by their SEQ (see `owm outbox inspect --state dead`), by run, or all. `owm flush` then hands them over.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 4711 4712',
    '<%= config.bin %> <%= command.id %> --run 1b4e28ba',
    '<%= config.bin %> <%= command.id %> --all',
  ]
  static override strict = false
  static override args = {
    seq: Args.string({ ignoreStdin: true, description: 'a dead task, by its SEQ; more may follow' }),
  }
  static override flags = {
    run: Flags.string({ description: 'the dead tasks of this run: its id, or the beginning of it', helpValue: 'ID' }),
    all: Flags.boolean({ description: 'every dead task' }),
    wait: Flags.boolean({ description: 'wait while another owm holds the outbox' }),
  }

  protected result: RetryResult = { outbox: { path: null, pending: 0, dead: 0 }, retried: 0 }

  protected async work(): Promise<Done<RetryResult>> {
    const { flags, argv } = await this.parse(OutboxRetry)
    this.takeFlags(flags)
    const seqs = argv.map(Number)
    const wrong = seqs.findIndex((seq) => !Number.isSafeInteger(seq) || seq < 1)
    if (wrong >= 0)
      throw new UsageError(`${String(argv[wrong])} is no SEQ.`, {
        hint: 'A SEQ is a whole number from 1 on: see `owm outbox inspect --state dead`.',
      })
    if ([seqs.length > 0, flags.run !== undefined, flags.all].filter(Boolean).length !== 1)
      throw new UsageError('Which dead tasks? Name one or more SEQ, or --run ID, or --all.', {
        hint: '`owm outbox inspect --state dead` shows them.',
      })
    const outbox = await this.openOutbox(await this.configure(flags), flags.wait)
    try {
      const retried = await outbox.deadLetters.retry({ run: flags.run ?? '', seqs: seqs.length > 0 ? seqs : undefined })
      this.result = {
        outbox: { path: outbox.path, pending: outbox.pending, dead: await outbox.deadLetters.count() },
        retried,
      }
      const { pending, dead } = this.result.outbox
      return {
        result: this.result,
        summary: [
          `${plural(retried, 'dead task')} put back, ${pending} pending, ${dead} dead${retried > 0 ? ': `owm flush` hands them over' : ''}`,
        ],
      }
    } finally {
      await outbox.close()
    }
  }
}
