import * as Args from '@oclif/core/args'
import { type Done, OwmCommand } from '../../cli/command.js'

interface ScriptResult {
  line: string
}

/** For profiles of older versions: `printf "$(owm autocomplete script zsh)" >> ~/.zshrc`, or an `eval` of it. */
export default class AutocompleteScript extends OwmCommand<ScriptResult> {
  static override summary = 'Print the line for a profile that switches completion on.'
  static override hidden = true
  static override usage = '<%= command.id %> SHELL [FLAGS]'
  static override args = {
    shell: Args.string({ ignoreStdin: true, description: 'bash or zsh', options: ['bash', 'zsh'], required: true }),
  }

  protected result: ScriptResult = { line: '' }

  protected async work(): Promise<Done<ScriptResult>> {
    const { args } = await this.parse(AutocompleteScript)
    const line = `source <(owm autocomplete ${args.shell})`
    return { result: { line }, summary: ['', line] }
  }
}
