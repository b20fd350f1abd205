/** Reports an unknown command. oclif's own plugin for this asks questions and exits 127. */
import { exitCodes } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { harmless } from './format.js'

interface Unknown {
  /** The words before the first flag, joined by colons. */
  id: string
  config: {
    commands: readonly { id: string; hidden: boolean }[]
    runCommand(id: string, argv: string[]): Promise<unknown>
  }
}

export default async function commandNotFound({ id, config }: Unknown): Promise<void> {
  // From the command line itself: an argument with colons can't be told from the command in `id`.
  const typed = process.argv.slice(2)
  const end = typed.findIndex((word) => word.startsWith('-') || word.includes('='))
  const asked = (end < 0 ? typed : typed.slice(0, end)).join(' ') || id
  const known = config.commands.filter(({ hidden }) => !hidden).map((command) => command.id.replaceAll(':', ' '))
  const isTopic = (name: string): boolean => known.some((other) => other.startsWith(`${name} `))
  const command = known.filter((name) => asked.startsWith(`${name} `)).toSorted((a, b) => b.length - a.length)[0]
  const inTopics = known.filter((name) => name.endsWith(` ${asked}`))
  const near = inTopics.length > 0 ? inTopics.join('` or `owm ') : nearest(asked, known)
  // The command exists but takes no argument: let it report that itself, in its own `--json` shape.
  if (command !== undefined && (!isTopic(command) || near === undefined || near === command))
    return void (await config.runCommand(command.replaceAll(' ', ':'), typed.slice(command.split(' ').length)))
  const [topic = ''] = asked.split(' ')
  const message = `There is no command \`owm ${asked}\`.`
  const hint =
    near === undefined
      ? `\`owm ${isTopic(topic) ? `${topic} ` : ''}--help\` lists what there is.`
      : `Did you mean \`owm ${near}\`?`
  process.exitCode = exitCodes.usage
  if (typed.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code: 'USAGE', message, hint } }, null, 2)}\n`)
  else process.stderr.write(`owm: ${harmless(message)}\n     ${hint}\n`)
}
