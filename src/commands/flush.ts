import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../cli/command.js'
import { count, plural, seconds, stopwatch } from '../cli/terminal.js'

/** What `owm flush --json` prints. */
export interface FlushResult {
  outbox: { path: string | null; pending: number; dead: number }
  sink: { name: string | null; delivered: number; deduplicated: number; evicted: number }
  durationMs: number
}

export default class Flush extends OwmCommand<FlushResult> {
  static override summary = 'Hand over what is pending in the outbox.'
  static override description =
    'Manual recovery, safe at any time: next to a running owm it says who holds the outbox and exits 75, or waits.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 1000',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]
  static override flags = {
    limit: Flags.integer({ description: 'at most so many tasks', min: 1, helpValue: 'N' }),
    'dry-run': Flags.boolean({ description: 'write nothing anywhere; say what would be handed over' }),
    force: Flags.boolean({ description: 'ask the sink even if its circuit is open' }),
    wait: Flags.boolean({ description: 'wait while another owm holds the outbox' }),
  }

  protected result: FlushResult = {
    outbox: { path: null, pending: 0, dead: 0 },
    sink: { name: null, delivered: 0, deduplicated: 0, evicted: 0 },
    durationMs: 0,
  }

  protected async work(): Promise<Done<FlushResult>> {
    const { flags } = await this.parse(Flush)
    this.takeFlags(flags)
    const { result } = this
    const elapsed = stopwatch()
    const loaded = await this.configure(flags, !flags['dry-run'])
    const { settings } = loaded
    result.sink.name = settings.sink?.use ?? null
    result.outbox.path = settings.outbox.path
    const limit = flags.limit ?? Number.POSITIVE_INFINITY
    if (flags['dry-run']) {
      const { Inspection } = await import('../outbox/inspect.js')
      const inspection = await Inspection.open(settings.outbox.path)
      const totals = await inspection.totals()
      await inspection.close()
      result.outbox = { ...result.outbox, pending: totals.pending, dead: totals.dead }
      const line = `dry run: ${plural(Math.min(limit, totals.pending), 'task')} of ${count(totals.pending)} pending would be handed over to ${result.sink.name}`
      return { result, summary: [line] }
    }

    const sink = await this.sinkOf(loaded)
    const { flush } = await import('../pipeline/flush.js')
    const outbox = await this.openOutbox(loaded, flags.wait)
    try {
      if (flags.force) await outbox.breakers.save('sink', undefined)
      const summary = await flush(
        { limit },
        {
          sink,
          outbox,
          resilience: await this.resilience(loaded, 'sink', outbox),
          log: await this.logger(),
          signal: this.abort.signal,
          onProgress: this.bar.update,
        },
      )
      result.outbox = { ...result.outbox, pending: outbox.pending, dead: await outbox.deadLetters.count() }
      result.sink = {
        ...result.sink,
        delivered: summary.delivered,
        deduplicated: summary.deduplicated,
        evicted: summary.evicted,
      }
      result.durationMs = elapsed()
      const line = [
        `${plural(summary.delivered, 'task')} handed over to ${result.sink.name}`,
        ...(summary.deduplicated > 0 ? [`${count(summary.deduplicated)} were there already`] : []),
        ...(summary.evicted > 0 ? [`${count(summary.evicted)} unread entries pushed out`] : []),
        `${count(result.outbox.pending)} pending`,
        ...(result.outbox.dead > 0 ? [`${count(result.outbox.dead)} dead`] : []),
        seconds(result.durationMs),
      ].join(', ')
      return { result, summary: [line], errors: summary.errors }
    } finally {
      await outbox.close()
    }
  }
}
