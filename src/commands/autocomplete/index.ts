import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../../cli/command.js'

const shells = ['bash', 'zsh', 'fish']

interface AutocompleteResult {
  shell: string | null
  script: string
}

export default class Autocomplete extends OwmCommand<AutocompleteResult> {
  static override summary = 'Print the script for completion in your shell.'
  static override description =
    'Its first lines say how to switch it on. Without SHELL it is for the shell that you log in with.'
  static override examples = [
    "echo 'source <(<%= config.bin %> <%= command.id %> bash)' >> ~/.bashrc",
    "echo 'source <(<%= config.bin %> <%= command.id %> zsh)' >> ~/.zshrc",
    '<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/owm.fish',
  ]
  static override usage = '<%= command.id %> [SHELL] [FLAGS]'
  static override args = {
    shell: Args.string({ ignoreStdin: true, description: 'your shell', options: shells }),
  }
  static override flags = {
    'refresh-cache': Flags.boolean({
      char: 'r',
      hidden: true,
      description: 'of older versions; there is no cache now',
    }),
  }

  protected result: AutocompleteResult = { shell: null, script: '' }

  protected async work(): Promise<Done<AutocompleteResult>> {
    const { args } = await this.parse(Autocomplete)
    const login = basename(process.env['SHELL'] ?? '')
    const shell = args.shell ?? (shells.includes(login) ? login : 'bash')
    const script = await readFile(join(this.config.root, 'templates', 'completion', `owm.${shell}`), 'utf8')
    return { result: { shell, script }, summary: script.trimEnd().split('\n') }
  }
}
