import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../cli/command.js'
import { count, harmless, locationsRead, plural, seconds, stopwatch } from '../cli/terminal.js'
import { InputRejectedError, UsageError } from '../errors/index.js'
import type { Outbox } from '../outbox/outbox.js'
import type { ProduceSummary } from '../pipeline/produce.js'
import { normalSlot } from '../tasks/slot.js'

/** What `owm produce --json` prints. */
export interface ProduceResult {
  runId: string | null
  slot: string
  /** With filters also how many locations they left out, and whether reading ended at the limit. */
  source: {
    name: string | null
    read: number
    rejected: number
    duplicates: number
    leftOut?: number
    limitReached?: boolean
  }
  outbox: { path: string | null; persisted: number; pending: number; dead: number }
  sink: { name: string | null; delivered: number; deduplicated: number; evicted: number }
  durationMs: number
  /** The first tasks that would be sent (`--dry-run`). */
  tasks?: unknown[]
}

export default class Produce extends OwmCommand<ProduceResult> {
  static override summary = 'Make a task of every configured location and hand it over.'
  static override description =
    'Finishes what earlier runs left, reads every location of the source, stores its task in the outbox and hands it to the sink. Exits 0 only when everything that was read is there.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --slot 2026-11-23T10:00:00Z --json',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]
  static override flags = {
    slot: Flags.string({
      description: 'the scheduled time that this run stands for, ISO 8601 with a zone; now, if not given',
      helpValue: 'TIME',
    }),
    shard: Flags.string({
      description: 'read only the share i of n, such as 0/3: n producers cover each location once',
      helpValue: 'I/N',
    }),
    strict: Flags.boolean({ description: 'exit 65 when a location was rejected' }),
    'dry-run': Flags.boolean({
      description: 'write nothing anywhere; show what would be sent',
      exclusive: ['no-flush'],
    }),
    'no-flush': Flags.boolean({ description: 'store the tasks, leave the hand-over to `owm flush`' }),
    wait: Flags.boolean({ description: 'wait while another owm holds the outbox' }),
  }

  protected result: ProduceResult = {
    runId: null,
    slot: normalSlot(new Date().toISOString()) ?? '',
    source: { name: null, read: 0, rejected: 0, duplicates: 0 },
    outbox: { path: null, persisted: 0, pending: 0, dead: 0 },
    sink: { name: null, delivered: 0, deduplicated: 0, evicted: 0 },
    durationMs: 0,
  }

  protected async work(): Promise<Done<ProduceResult>> {
    const { flags } = await this.parse(Produce)
    this.takeFlags(flags)
    const { result } = this
    const elapsed = stopwatch()
    if (flags.slot !== undefined) {
      const slot = normalSlot(flags.slot)
      if (slot === undefined)
        throw new UsageError(`--slot ${flags.slot} is no time.`, {
          hint: 'ISO 8601 with a zone is expected, such as 2026-11-23T10:00:00Z.',
        })
      result.slot = slot
    }
    const loaded = await this.configure(flags, !flags['dry-run'])
    const { settings } = loaded
    result.source.name = settings.source?.use ?? null
    result.sink.name = settings.sink?.use ?? null
    result.outbox.path = settings.outbox.path
    let outbox: Outbox | undefined
    // Wrong settings are said before anything is touched.
    const source = await this.sourceOf(loaded, () => outbox)
    const sink = await this.sinkOf(loaded)
    if (flags['dry-run']) {
      const { dryRun } = await import('../pipeline/dry-run.js')
      const { preview, ...counts } = await dryRun(source, result.slot)
      result.source = { ...result.source, ...counts, ...source.tally }
      result.durationMs = elapsed()
      const rest = counts.read - counts.rejected - counts.duplicates
      const line = `dry run of slot ${result.slot}: ${locationsRead(result.source)}, ${count(counts.rejected)} rejected, ${plural(counts.duplicates, 'duplicate')}, ${plural(rest, 'task')} would be handed over to ${result.sink.name}`
      return {
        result: { ...result, tasks: preview.map((task): unknown => JSON.parse(task)) },
        summary: [...preview.map(harmless), line],
        errors: this.#rejections(flags.strict),
      }
    }

    const { produce } = await import('../pipeline/produce.js')
    outbox = await this.openOutbox(loaded, flags.wait)
    try {
      await this.leaveOtherShards(outbox, source, result.slot)
      const { keepTasks, keepRuns } = settings.outbox
      const summary = await produce(
        { slot: result.slot, flush: !flags['no-flush'], keepTasks, keepRuns },
        {
          source,
          sink,
          outbox,
          resilience: await this.resilience(loaded, 'sink', outbox),
          log: await this.logger(),
          signal: this.abort.signal,
          onProgress: this.bar.update,
        },
      )
      const { run } = summary
      result.runId = run.runId
      result.source = {
        ...result.source,
        ...source.tally,
        read: run.read,
        rejected: run.rejected,
        duplicates: run.duplicates,
      }
      result.outbox = {
        ...result.outbox,
        persisted: run.persisted,
        pending: outbox.pending,
        dead: await outbox.deadLetters.count(),
      }
      result.sink = {
        ...result.sink,
        delivered: summary.delivered,
        deduplicated: summary.deduplicated,
        evicted: summary.evicted,
      }
      result.durationMs = elapsed()
      return { result, summary: [this.#line(summary)], errors: [...summary.errors, ...this.#rejections(flags.strict)] }
    } finally {
      await outbox.close()
    }
  }

  #rejections(strict: boolean): InputRejectedError[] {
    const { rejected } = this.result.source
    return strict && rejected > 0
      ? [
          new InputRejectedError(
            `${plural(rejected, 'location')} of the source ${this.result.source.name} can't be used.`,
            {
              hint: '`owm outbox inspect --state rejected` shows which and why.',
            },
          ),
        ]
      : []
  }

  #line({ run, delivered, deduplicated, evicted, alreadyComplete }: ProduceSummary): string {
    const { slot, outbox, sink, durationMs } = this.result
    if (alreadyComplete) return `slot ${slot}: handed over before (run ${run.runId}), nothing to do`
    return [
      `slot ${slot}: ${locationsRead(this.result.source)}`,
      ...(run.rejected > 0 ? [`${count(run.rejected)} rejected`] : []),
      ...(run.duplicates > 0 ? [plural(run.duplicates, 'duplicate')] : []),
      `${plural(delivered, 'task')} handed over to ${sink.name}`,
      ...(deduplicated > 0 ? [`${count(deduplicated)} were there already`] : []),
      ...(evicted > 0 ? [`${count(evicted)} unread entries pushed out`] : []),
      ...(outbox.pending > 0 ? [`${count(outbox.pending)} pending`] : []),
      ...(outbox.dead > 0 ? [`${count(outbox.dead)} dead`] : []),
      seconds(durationMs),
    ].join(', ')
  }
}
