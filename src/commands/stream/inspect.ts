import { inspectStream, nothingSeen, type StreamResult } from '../../cli/actions/look/stream.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export type { StreamResult } from '../../cli/actions/look/stream.js'

export default class StreamInspect extends OwmCommand<StreamResult> {
  static override summary = 'Show how full the stream is, and how far its readers are.'
  static override description = [
    'Length against the bound, entries a minute, and for each consumer group what it has not read, what its consumers',
    'hold and when one of them was last heard; and what a next run as large as the last one would meet. Reads only.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  protected result = nothingSeen()

  protected async work(): Promise<Done<StreamResult>> {
    const { flags } = await this.parse(StreamInspect)
    return inspectStream(this.result, () => this.configureSink(flags), this.surroundings)
  }
}
