import { type Done, OwmCommand } from '../../cli/command.js'
import { answerTo } from '../../completion/answer.js'

interface AnswerResult {
  answers: string[]
}

export default class AutocompleteAnswer extends OwmCommand<AnswerResult> {
  static override summary = 'What the script of `owm autocomplete` asks at each press of TAB.'
  static override hidden = true
  static override strict = false

  protected result: AnswerResult = { answers: [] }

  protected async work(): Promise<Done<AnswerResult>> {
    const words = this.argv.slice(this.argv.indexOf('--') + 1)
    const answers = await answerTo(words, this.config.commands, { env: process.env, cwd: process.cwd() })
    return { result: { answers }, summary: answers }
  }
}
