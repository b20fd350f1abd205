import * as Args from '@oclif/core/args'
import { type ShowResult, showRuns } from '../../cli/actions/look/runs/show.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { ShowResult } from '../../cli/actions/look/runs/show.js'

export default class RunsShow extends OwmCommand<ShowResult> {
  static override summary = 'Show all of a run: what became of its locations, and what to do next.'
  static override description =
    'Named by its id, the beginning of it, or its slot; a slot shows all of its runs. Reads only.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 1b4e28ba',
    '<%= config.bin %> <%= command.id %> 2026-11-23T10:00:00Z --json',
  ]
  static override usage = '<%= command.id %> RUN [FLAGS]'
  static override args = {
    run: Args.string({ ignoreStdin: true, description: "a run's id, the beginning of it, or a slot", required: true }),
  }

  protected result: ShowResult = { runs: [] }

  protected async work(): Promise<Done<ShowResult>> {
    const { flags, args } = await this.parse(RunsShow)
    return showRuns(args.run, await this.pipelinesWithRuns(flags), this.surroundings)
  }
}
