import * as Args from '@oclif/core/args'
import { type DiffResult, diffRuns, nothingCompared } from '../../cli/actions/look/runs/diff.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { DiffResult } from '../../cli/actions/look/runs/diff.js'

export default class RunsDiff extends OwmCommand<DiffResult> {
  static override summary = 'Show what is different between two runs, or two slots.'
  static override description = [
    'Counts side by side, reasons that are new or gone, and the locations that only one of them has, where the history',
    'of the outbox still has their tasks. Reads only, next to a running owm.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> 2026-11-23T09:00:00Z 2026-11-23T10:00:00Z',
    '<%= config.bin %> <%= command.id %> 1b4e28ba 6fa459ea --json',
  ]
  static override usage = '<%= command.id %> A B [FLAGS]'
  static override args = {
    a: Args.string({ ignoreStdin: true, description: "a run's id, the beginning of it, or a slot", required: true }),
    b: Args.string({ ignoreStdin: true, description: 'the other one', required: true }),
  }

  protected result = nothingCompared()

  protected async work(): Promise<Done<DiffResult>> {
    const { flags, args } = await this.parse(RunsDiff)
    return diffRuns([args.a, args.b], await this.pipelinesWithRuns(flags), this.surroundings)
  }
}
