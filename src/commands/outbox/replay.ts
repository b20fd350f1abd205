import * as Flags from '@oclif/core/flags'
import { nothingReplayed, type ReplayResult, replay } from '../../cli/actions/outbox/replay.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { dryRun, runToChange, shard, waiting } from '../../cli/flags.js'

export type { ReplayResult } from '../../cli/actions/outbox/replay.js'

export default class OutboxReplay extends OwmCommand<ReplayResult> {
  static override summary = 'Deliver a run or a slot once more, under the same task ids.'
  static override description = [
    'What the sink still holds is left out, where it can say what that is. Tasks come from the history of the outbox;',
    'where that no longer has all of them, the slot is read again from the source.',
    'Asks first; where there is no terminal, --yes is needed.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --run 1b4e28ba --dry-run',
    '<%= config.bin %> <%= command.id %> --slot 2026-11-23T10:00:00Z --yes',
    '<%= config.bin %> <%= command.id %> --slot 2026-11-23T10:00:00Z --all',
  ]
  static override flags = {
    run: runToChange('this run: its id, or the beginning of it'),
    slot: Flags.string({ description: 'all runs of this slot, ISO 8601 with a zone', helpValue: 'TIME' }),
    all: Flags.boolean({
      description: 'deliver also what the sink still holds: it will be there twice, and workers skip it by task_id',
    }),
    'dry-run': dryRun('change nothing; say what would be put back'),
    yes: Flags.boolean({ char: 'y', description: "don't ask" }),
    shard,
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingReplayed()

  protected async work(): Promise<Done<ReplayResult>> {
    const { flags } = await this.parse(OutboxReplay)
    const given = { ...flags, delivers: !flags['dry-run'] }
    const configure = (withSource: boolean) => (withSource ? this.configure(given) : this.configureSink(given))
    return replay(this.result, flags, configure, this.surroundings)
  }
}
