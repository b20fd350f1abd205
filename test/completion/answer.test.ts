import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { answerTo } from '../../src/completion/answer.js'
import type { Command } from '../../src/completion/line.js'
import { folderWith, root } from '../support/cli.js'

const manifest: { commands: Record<string, Command> } = JSON.parse(
  await readFile(join(root, 'oclif.manifest.json'), 'utf8'),
)
const commands = Object.values(manifest.commands)

/** The words that are answered. */
async function words(line: readonly string[], cwd = '/', known = commands): Promise<string[]> {
  const answers = await answerTo(line, known, { env: {}, cwd })
  return answers.map((answer) => answer.replace(/ {2}.*/, ''))
}

it.each(
  commands.filter(({ hidden }) => !hidden).map(({ id, flags }) => [id.split(':'), Object.values(flags)] as const),
)('%j: each word, flag and option of the manifest is completed', async (id, flags) => {
  for (const [index, word] of id.entries())
    expect(await words([...id.slice(0, index), word.slice(0, 3)])).toContain(word)
  const shown = flags.filter(({ hidden }) => !hidden)
  expect(await words([...id, '--'])).toEqual([...shown.map(({ name }) => `--${name}`), '--help'])
  for (const { name, options = [] } of flags) {
    if (options.length === 0) continue
    expect(await words([...id, `--${name}`, ''])).toEqual(options)
    expect(await words([...id, `--${name}=`])).toEqual(options.map((option) => `--${name}=${option}`))
    expect(await words([...id, `--${name}`, '=', options[0] ?? '']), 'bash').toContain(options[0])
  }
})

it('a new command is completed without more code', async () => {
  const color = { name: 'color', type: 'option', options: ['red', 'green'], char: 'c' } as const
  const paint: Command = {
    id: 'house:paint',
    hidden: false,
    flags: { color, wet: { name: 'wet', type: 'boolean' } },
    args: { room: { name: 'room', options: ['bath', 'hall'] }, by: { name: 'by' } },
  }
  const secret: Command = { ...paint, id: 'house:burn', hidden: true }
  const of = (...line: string[]): Promise<string[]> => words(line, '/', [paint, secret])
  expect(await of('')).toEqual(['house'])
  expect(await of('house', '')).toEqual(['paint'])
  expect(await of('help', 'house', '')).toEqual(['paint'])
  expect(await of('house', 'paint', '')).toEqual(['bath', 'hall'])
  expect(await of('house', 'paint', '--wet', 'h')).toEqual(['hall'])
  expect(await of('house', 'paint', '-c', '')).toEqual(['red', 'green'])
  expect(await of('house', 'paint', '-c', 'red', '-')).toEqual(['--wet', '--help', '-h'])
  expect(await of('house', 'paint', 'bath', '')).toEqual([])
  expect(await of('house', 'paint', '--', '-')).toEqual([])
  expect(await of('house', 'demolish', '')).toEqual([])
})

it('names of files are asked of the shell', async () => {
  for (const flag of ['--config', '--outbox']) expect(await words(['flush', flag, 'x'])).toEqual([':files'])
  expect(await words(['flush', '--outbox=x'])).toEqual([':files'])
  expect(await words(['flush', '--source', './'])).toEqual([':files'])
  expect(await words(['plugins', 'new', 'source', ''])).toEqual([':files'])
})

it('sources, sinks and pipelines are those of the configuration that the line names', async () => {
  const cwd = await folderWith({ pipelines: { hourly: {}, daily: {}, '$(reboot)': {} } })
  expect(await words(['produce', '--pipeline', ''], cwd), 'what a shell would run is no answer').toEqual([
    'hourly',
    'daily',
  ])
  expect(await words(['produce', '--config', join(cwd, '.owmrc.json'), '--pipeline', 'd'])).toEqual(['daily'])
  expect(await words(['produce', '--source', 's'], cwd)).toEqual(['static-list', 'simulated-db', 'sql'])
  expect(await words(['flush', '--sink', ''], cwd)).toEqual(['redis-stream', 'postgres', 'jsonl'])
  expect(await words(['plugins', 'show', 'j'], cwd)).toEqual(['jsonl'])
})
