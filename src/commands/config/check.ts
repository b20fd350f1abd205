import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../../cli/command.js'
import { harmless, plural } from '../../cli/terminal.js'
import { ConfigurationError, exitCodes, OwmError, TransientError } from '../../errors/index.js'

/** What `owm config check --json` prints. */
export interface CheckResult {
  findings: { pipeline: string | null; about: string; ok: boolean; message: string; hint: string | null }[]
}

export default class ConfigCheck extends OwmCommand<CheckResult> {
  static override summary = 'Look whether the configuration is right, all of it.'
  static override description =
    'Reads the configuration, checks the options of its plugins, looks for files and for the folder of the outbox. Changes nothing. Without --pipeline: all pipelines.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --connect']
  static override flags = {
    connect: Flags.boolean({
      description: "also read the source's first batch and ask the sink, without changing anything",
    }),
  }

  protected result: CheckResult = { findings: [] }

  protected async work(): Promise<Done<CheckResult>> {
    const { flags } = await this.parse(ConfigCheck)
    this.takeFlags(flags)
    const { checkConfig } = await import('../../config/check.js')
    const wrong: OwmError[] = []
    const summary: string[] = []
    // A file that can't be read is told of below.
    const pipelines = await this.pipelines(flags).catch(() => [undefined])
    for (const pipeline of pipelines) {
      const findings = await checkConfig(
        {
          configure: () => this.configure({ ...flags, pipeline }),
          sourceOf: (loaded) => this.sourceOf(loaded, () => undefined),
          sinkOf: (loaded) => this.sinkOf(loaded),
        },
        flags.connect,
      )
      for (const { about, outcome } of findings) {
        const ok = !(outcome instanceof OwmError)
        const [message, hint] = ok ? [outcome, undefined] : [outcome.message, outcome.hint]
        this.result.findings.push({ pipeline: pipeline ?? null, about, ok, message, hint: hint ?? null })
        summary.push(
          `${ok ? 'ok   ' : 'wrong'} ${pipeline === undefined ? '' : `${pipeline}: `}${about}: ${message}${hint === undefined ? '' : ` ${hint}`}`,
        )
        if (!ok) wrong.push(outcome)
      }
    }
    const Kind = wrong.some(({ exitCode }) => exitCode !== exitCodes.notHandedOver)
      ? ConfigurationError
      : TransientError
    const errors =
      wrong.length > 0
        ? [
            new Kind(`${plural(wrong.length, 'check')} failed: see above.`, {
              hint: 'Correct what is wrong, then check again.',
            }),
          ]
        : []
    return { result: this.result, summary: summary.map(harmless), errors }
  }
}
