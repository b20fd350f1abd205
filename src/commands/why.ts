import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { nothingTold, type WhyResult, why } from '../cli/actions/look/why/why.js'
import { type Done, OwmCommand } from '../cli/command.js'
import { limits, shard } from '../cli/flags.js'

export type { WhyResult } from '../cli/actions/look/why/why.js'

export default class Why extends OwmCommand<WhyResult> {
  static override summary = "Tell one place's story: its line, its tasks, who has read them."
  static override description = [
    'TEXT is a city, an id of the source, the id of a task, or coordinates (6.45,3.39); case and accents do not',
    'matter. Says which filter left it out, why it was rejected or not due, where its task is, which group has',
    'read it and which consumer holds it. Where source or sink cannot be reached, the rest is told, with exit 0.',
    'Reads only.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %> Lagos',
    '<%= config.bin %> <%= command.id %> 245aeca7-f794-5d30-a885-a26bb7bc24f3',
    '<%= config.bin %> <%= command.id %> 6.45,3.39 --no-source --json',
  ]
  static override usage = '<%= command.id %> TEXT [FLAGS]'
  static override args = { text: Args.string({ required: true, ignoreStdin: true, description: 'which place' }) }
  static override flags = {
    limit: Flags.integer({
      description: 'look at this many runs, show this many places',
      ...limits,
      helpValue: 'N',
      default: 10,
    }),
    'no-source': Flags.boolean({ description: "don't read the source" }),
    shard,
  }

  protected result = nothingTold()

  protected async work(): Promise<Done<WhyResult>> {
    const { args, flags } = await this.parse(Why)
    const configure = () => (flags['no-source'] ? this.configureSink(flags) : this.configure(flags))
    return why(this.result, args.text, flags, configure, this.surroundings)
  }
}
