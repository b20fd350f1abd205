import { type DoctorResult, doctor, nothingExamined } from '../cli/actions/look/doctor.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { shard } from '../cli/flags.js'

export type { DoctorResult } from '../cli/actions/look/doctor.js'

export default class Doctor extends OwmCommand<DoctorResult> {
  static override summary = 'Find what is wrong, why it matters and what to do.'
  static override description = [
    'Looks at configuration, outbox, source, sink and schedule. Reads only, also while a run is under way. The worst',
    'finding decides the exit code; docs/troubleshooting.md explains each code. Without --pipeline: all pipelines.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --quiet',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = { shard }

  protected result = nothingExamined()

  protected async work(): Promise<Done<DoctorResult>> {
    const { flags } = await this.parse(Doctor)
    const around = { ...this.surroundings, logger: async () => silent }
    return doctor(this.result, flags, await this.pipelinesToCheck(flags), around)
  }
}

/** Hides the logs of plugins: the checks report what matters here. */
const silent = { debug() {}, info() {}, warn() {}, error() {} }
