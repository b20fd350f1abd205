import * as Flags from '@oclif/core/flags'
import { type ExportResult, exportOutbox, nothingExported, states } from '../../cli/actions/outbox/export/export.js'
import { formats } from '../../cli/actions/outbox/export/formats.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { UsageError } from '../../errors/index.js'

export type { ExportResult } from '../../cli/actions/outbox/export/export.js'

export default class OutboxExport extends OwmCommand<ExportResult> {
  static override summary = 'Write what the outbox holds as CSV or NDJSON.'
  static override description = [
    'A record each for tasks and rejected locations, to standard output or to a file that appears once it is whole.',
    'In CSV a text that a spreadsheet would execute has an apostrophe before it. Reads only, next to a running owm.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --state dead --format csv --out dead.csv',
    '<%= config.bin %> <%= command.id %> --state rejected --run 1b4e28ba',
    '<%= config.bin %> <%= command.id %> --format ndjson | head',
  ]
  static override flags = {
    format: Flags.option({ options: formats, default: 'csv' as const, description: 'how records are written' })(),
    state: Flags.option({
      options: states,
      multiple: true,
      description: 'only records in this state; may be given several times',
    })(),
    run: Flags.string({ description: 'only this run: its id, or the beginning of it', helpValue: 'ID' }),
    slot: Flags.string({ description: 'only this slot, ISO 8601 with a zone', helpValue: 'TIME' }),
    out: Flags.string({ description: 'the file; - is standard output', default: '-', helpValue: 'FILE' }),
    force: Flags.boolean({ description: 'replace the file where it is there already' }),
  }

  protected result = nothingExported()

  protected async work(): Promise<Done<ExportResult>> {
    const { flags } = await this.parse(OutboxExport)
    if (flags.out === '-' && this.jsonEnabled())
      throw new UsageError('The records and --json would both be written to standard output.', {
        hint: 'Name a file with --out, or leave --json out; --format ndjson is JSON, too.',
      })
    const configure = () => this.configureSink({ ...flags, only: ['outbox'] })
    const done = await exportOutbox(this.result, flags, configure, this.surroundings)
    this.report.summaryToStandardError = flags.out === '-'
    return done
  }
}
