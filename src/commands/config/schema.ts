import { schema } from '../../cli/actions/config.js'
import { type Done, OwmCommand } from '../../cli/command.js'

export default class ConfigSchema extends OwmCommand<object> {
  static override summary = 'Print the JSON Schema of a configuration file, for editors.'
  static override description = [
    'It includes the options of the built-in plugins. `owm init` writes it beside the starter file; after an update of',
    'owm, `owm config schema > owm.schema.json` writes it again.',
  ].join(' ')
  static override examples = ['<%= config.bin %> <%= command.id %> > owm.schema.json']

  protected result: object = {}

  protected async work(): Promise<Done<object>> {
    await this.parse(ConfigSchema)
    return schema()
  }
}
