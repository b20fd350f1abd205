import * as Flags from '@oclif/core/flags'
import { nothingReported, type ReportResult, report } from '../cli/actions/look/report.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { shard } from '../cli/flags.js'
import { UsageError } from '../errors/index.js'

export type { ReportResult } from '../cli/actions/look/report.js'

export default class Report extends OwmCommand<ReportResult> {
  static override summary = 'Write a page: a map of the locations, runs, rejects, the next day.'
  static override description = [
    'One HTML file for any browser, which asks nobody for anything. Reads the outbox, next to a running owm, and the',
    'source once; changes neither, and leaves the sink alone.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --out report.html',
    '<%= config.bin %> <%= command.id %> --no-source --out /var/www/owm.html',
    '<%= config.bin %> <%= command.id %> --out - > report.html',
  ]
  static override flags = {
    out: Flags.string({
      description: 'where to write it; - is standard output',
      default: 'report.html',
      helpValue: 'FILE',
    }),
    'no-source': Flags.boolean({ description: 'leave the source unread: no plan, and no locations without a task' }),
    shard,
  }

  protected result = nothingReported()

  protected async work(): Promise<Done<ReportResult>> {
    const { flags } = await this.parse(Report)
    const { out, 'no-source': withoutSource } = flags
    if (out === '-' && this.jsonEnabled())
      throw new UsageError('The report and --json would both be written to standard output.', {
        hint: 'Leave --json out, or name a file: --out report.html.',
      })
    const loaded = await this.configure({ ...flags, withoutSource })
    this.report.summaryToStandardError = out === '-'
    const { version, root } = this.config
    return report(this.result, { out, source: !withoutSource }, loaded, { version, root }, this.surroundings)
  }
}
