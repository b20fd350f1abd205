/** For a command that owm doesn't have. oclif's own plugin for this asks questions and exits 127. */
import { exitCodes } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { harmless } from './format.js'

interface Unknown {
  /** The words, joined by colons. */
  id: string
  argv?: readonly string[]
  config: { commands: readonly { id: string; hidden: boolean }[] }
}

export default async function commandNotFound({ id, argv = [], config }: Unknown): Promise<void> {
  const known = config.commands.filter(({ hidden }) => !hidden).map((command) => command.id.replaceAll(':', ' '))
  const given = id.replaceAll(':', ' ')
  const command = known.filter((name) => given.startsWith(`${name} `)).toSorted((a, b) => b.length - a.length)[0]
  const inTopics = known.filter((name) => name.endsWith(` ${given}`))
  const near = inTopics.length > 0 ? inTopics.join('` or `owm ') : nearest(given, known)
  const [topic = ''] = given.split(' ')
  const where = command ?? (known.some((name) => name.startsWith(`${topic} `)) ? topic : undefined)
  const message = `There is no command \`owm ${given}\`.`
  const hint =
    near === undefined
      ? `\`owm ${where === undefined ? '' : `${where} `}--help\` lists what there is.`
      : `Did you mean \`owm ${near}\`?`
  process.exitCode = exitCodes.usage
  if (argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code: 'USAGE', message, hint } }, null, 2)}\n`)
  else process.stderr.write(`owm: ${harmless(message)}\n     ${hint}\n`)
}
