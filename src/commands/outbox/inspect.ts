import * as Flags from '@oclif/core/flags'
import { type InspectResult, inspect, nothingInspected } from '../../cli/actions/outbox/inspect.js'
import { type Done, OwmCommand } from '../../cli/command.js'
import { limits } from '../../cli/flags.js'
import type { TaskState } from '../../outbox/inspect/tasks/listed.js'

const states = ['pending', 'dead', 'rejected', 'delivered'] as const satisfies readonly TaskState[]

export type { InspectResult } from '../../cli/actions/outbox/inspect.js'

export default class OutboxInspect extends OwmCommand<InspectResult> {
  static override summary = 'Look into the outbox: totals, runs, single tasks.'
  static override description = 'Opens the file read-only; neither blocks nor changes a running owm.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --state rejected',
    '<%= config.bin %> <%= command.id %> --location Lagos --json',
  ]
  static override flags = {
    state: Flags.option({ options: states, description: 'only tasks in this state' })(),
    run: Flags.string({ description: 'only this run: its id, or the beginning of it', helpValue: 'ID' }),
    location: Flags.string({ description: 'only tasks that contain this text', helpValue: 'TEXT' }),
    limit: Flags.integer({
      description: 'at most this many runs and this many tasks',
      ...limits,
      default: 20,
      helpValue: 'N',
    }),
  }

  protected result = nothingInspected()

  protected async work(): Promise<Done<InspectResult>> {
    const { flags } = await this.parse(OutboxInspect)
    return inspect(this.result, flags, () => this.configureSink(flags))
  }
}
