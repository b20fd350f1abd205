import * as Flags from '@oclif/core/flags'
import { type BackfillResult, backfill, nothingBackfilled } from '../cli/actions/schedule/backfill.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { dryRun, forceSource, shard, strict, waiting } from '../cli/flags.js'
import { observed } from '../cli/observed.js'

export type { BackfillResult } from '../cli/actions/schedule/backfill.js'

export default class Backfill extends OwmCommand<BackfillResult> {
  static override summary = 'Serve the scheduled times of a range that nobody has served.'
  static override description = [
    'A run for each of them, in one start. What was served already is left alone; what is open is finished.',
    'Needs `schedule:` in the configuration.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --from 2026-11-22T00:00:00Z --to 2026-11-22T23:00:00Z --dry-run',
    '<%= config.bin %> <%= command.id %> --from 2026-11-22T00:00:00Z --to 2026-11-22T23:00:00Z --order newest',
  ]
  static override flags = {
    from: Flags.string({
      description: 'the first scheduled time, ISO 8601 with a zone',
      helpValue: 'TIME',
      required: true,
    }),
    to: Flags.string({ description: 'the last one', helpValue: 'TIME', required: true }),
    order: Flags.option({
      description: 'which one first',
      options: ['oldest', 'newest'] as const,
      default: 'oldest' as const,
    })(),
    shard,
    strict,
    'dry-run': dryRun('write nothing anywhere; show which times would be served'),
    force: forceSource,
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingBackfilled()

  protected async work(): Promise<Done<BackfillResult>> {
    const { flags } = await this.parse(Backfill)
    const configure = (only?: readonly string[]) =>
      this.configure({ ...flags, produces: true, only, delivers: !flags['dry-run'] })
    if (flags['dry-run']) return backfill(this.result, flags, configure, this.surroundings)
    return observed(this.result, configure, this.surroundings, (...given) => backfill(this.result, flags, ...given))
  }
}
