/** For a command that owm doesn't have. oclif's own plugin for this asks questions and exits 127. */
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
  // As they were typed: where an argument has colons, `id` and `argv` don't tell where it ends.
  const typed = process.argv.slice(2)
  const end = typed.findIndex((word) => word.startsWith('-') || word.includes('='))
  const given = (end < 0 ? typed : typed.slice(0, end)).join(' ') || id
  const known = config.commands.filter(({ hidden }) => !hidden).map((command) => command.id.replaceAll(':', ' '))
  const isTopic = (name: string): boolean => known.some((other) => other.startsWith(`${name} `))
  const command = known.filter((name) => given.startsWith(`${name} `)).toSorted((a, b) => b.length - a.length)[0]
  const inTopics = known.filter((name) => name.endsWith(` ${given}`))
  const near = inTopics.length > 0 ? inTopics.join('` or `owm ') : nearest(given, known)
  // It is there, and takes no argument: it says so itself, in its own shape.
  if (command !== undefined && (!isTopic(command) || near === undefined || near === command))
    return void (await config.runCommand(command.replaceAll(' ', ':'), typed.slice(command.split(' ').length)))
  const [topic = ''] = given.split(' ')
  const message = `There is no command \`owm ${given}\`.`
  const hint =
    near === undefined
      ? `\`owm ${isTopic(topic) ? `${topic} ` : ''}--help\` lists what there is.`
      : `Did you mean \`owm ${near}\`?`
  process.exitCode = exitCodes.usage
  if (typed.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code: 'USAGE', message, hint } }, null, 2)}\n`)
  else process.stderr.write(`owm: ${harmless(message)}\n     ${hint}\n`)
}
