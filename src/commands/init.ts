import { resolve } from 'node:path'
import { type InitResult, init } from '../cli/actions/config.js'
import { type Done, OwmCommand } from '../cli/command.js'

export type { InitResult } from '../cli/actions/config.js'

export default class Init extends OwmCommand<InitResult> {
  static override summary = 'Write a commented starter .owmrc.yaml into this folder.'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  protected result: InitResult = { path: '.owmrc.yaml', schema: 'owm.schema.json' }

  protected async work(): Promise<Done<InitResult>> {
    const { flags } = await this.parse(Init)
    this.takeFlags(flags)
    const { path, schema } = this.result
    this.result = { path: resolve(path), schema: resolve(schema) }
    return init(this.result, this.surroundings)
  }
}
