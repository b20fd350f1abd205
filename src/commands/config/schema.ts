import { type Done, OwmCommand } from '../../cli/command.js'

export default class ConfigSchema extends OwmCommand<object> {
  static override summary = 'Print the JSON Schema of a configuration file, for editors.'
  static override description =
    'With the options of the built-in plugins. `owm init` writes it beside the starter file; after an update, `owm config schema > owm.schema.json` does so again.'
  static override examples = ['<%= config.bin %> <%= command.id %> > owm.schema.json']

  protected result: object = {}

  protected async work(): Promise<Done<object>> {
    const { flags } = await this.parse(ConfigSchema)
    this.takeFlags(flags)
    const { configSchema } = await import('../../config/json-schema.js')
    this.result = await configSchema()
    return { result: this.result, summary: [JSON.stringify(this.result, null, 2)] }
  }
}
