import * as Flags from '@oclif/core/flags'
import { nothingProduced, type ProduceResult, produce } from '../cli/actions/produce/produce.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { dryRun, forceSource, shard, strict, waiting } from '../cli/flags.js'
import { observed } from '../cli/observed.js'

export type { ProduceResult } from '../cli/actions/produce/produce.js'

export default class Produce extends OwmCommand<ProduceResult> {
  static override summary = 'Make a task of every configured location and deliver it.'
  static override description = [
    'Finishes what earlier runs left, then reads every location of the source, stores its task in the outbox and',
    'delivers it to the sink. Exits 0 only when all of it that can be used is there.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --slot 2026-11-23T10:00:00Z --json',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]
  static override flags = {
    slot: Flags.string({
      description:
        'the scheduled time that this run stands for, ISO 8601 with a zone; if empty, the newest one, or now',
      helpValue: 'TIME',
      env: 'OWM_SLOT',
    }),
    shard,
    strict,
    'dry-run': dryRun('write nothing anywhere; show what would be sent'),
    again: Flags.boolean({
      description:
        'read a slot again that was lost or discarded, or is no longer kept, under the same task ids; ' +
        'what the sink says it holds is left out',
      dependsOn: ['slot'],
    }),
    'no-flush': Flags.boolean({
      description: 'store the tasks, leave their delivery to `owm flush`',
      exclusive: ['dry-run'],
    }),
    force: forceSource,
    ...waiting,
  }

  protected override readonly changes = true
  protected result = nothingProduced()

  protected async work(): Promise<Done<ProduceResult>> {
    const { flags } = await this.parse(Produce)
    const configure = (only?: readonly string[]) =>
      this.configure({ ...flags, produces: true, only, delivers: !flags['dry-run'] })
    if (flags['dry-run']) return produce(this.result, flags, configure, this.surroundings)
    return observed(this.result, configure, this.surroundings, (...given) => produce(this.result, flags, ...given))
  }
}
