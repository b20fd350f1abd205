import * as Flags from '@oclif/core/flags'
import { listRuns, type RunsResult } from '../../cli/actions/look/runs/list.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { limits } from '../../cli/flags.js'

export type { RunsResult } from '../../cli/actions/look/runs/list.js'

export default class Runs extends OwmCommand<RunsResult> {
  static override summary = 'Show what each run did, and which times nobody served.'
  static override description = [
    'A line a run, the newest slot first: locations read, rejected, delivered, waiting, dead, and how long it took.',
    'COVERS are the scheduled times before its slot that a run stands in for, by the present schedule.',
    'Without --pipeline: of all pipelines. Reads only, next to a running owm. `owm runs show` has the details of one.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --since 12h',
    '<%= config.bin %> <%= command.id %> --all-shards --pipeline hourly',
  ]
  static override flags = {
    since: Flags.string({
      description: 'only runs that began in the last 90s, 30m, 12h or 7d, or since a time',
      helpValue: 'DURATION|TIME',
    }),
    limit: Flags.integer({
      description: 'at most this many runs of a pipeline',
      ...limits,
      default: 20,
      helpValue: 'N',
    }),
    'all-shards': Flags.boolean({
      description: "also ask the sink's receipts which shards of each slot are there, and which are missing",
    }),
  }

  protected result: RunsResult = { pipelines: [] }

  protected async work(): Promise<Done<RunsResult>> {
    const { flags } = await this.parse(Runs)
    const pipelines = await this.pipelinesWithRuns(flags)
    // Receipts are asked of the sink.
    const withSink = { ...pipelines, configure: (pipeline?: string) => this.configureSink({ ...flags, pipeline }) }
    return listRuns(this.result, flags, flags['all-shards'] ? withSink : pipelines, this.surroundings)
  }
}
