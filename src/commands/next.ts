import { type NextResult, next } from '../cli/actions/look/next.js'
import { type Done, OwmCommand } from '../cli/command.js'

/** Printed by a bare `owm`, after the help. */
export default class Next extends OwmCommand<NextResult> {
  static override summary = 'Say what to do next in this folder.'
  static override hidden = true

  protected result: NextResult = { next: [] }

  protected async work(): Promise<Done<NextResult>> {
    const { flags } = await this.parse(Next)
    const configure = async () => this.configureAll({ ...flags, withoutSource: true })
    return next(configure, this.surroundings)
  }
}
