/** docs/troubleshooting.md has what owm prints, and nobody can add a message that it doesn't have. */
import { readFileSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { InterruptedError, toError } from '../../src/errors/index.js'
import { checkFile } from '../../src/files/rules.js'
import { logEvents } from '../../src/observe/events.js'
import { asOutboxError, missingOutbox } from '../../src/outbox/sqlite/trouble.js'
import { classed as byPostgres } from '../../src/sinks/postgres/errors.js'
import { classed as byRedis } from '../../src/sinks/redis-stream/errors.js'
import { refuseForeign } from '../../src/sources/formats/text.js'
import { placeOf } from '../../src/tasks/place.js'
import { Rejection } from '../../src/tasks/rejection.js'
import { folderWith, owm, root, temporaryFolder } from '../support/cli.js'

const page = readFileSync(join(root, 'docs', 'troubleshooting.md'), 'utf8')
const generated = page.slice(page.indexOf('<!-- messages:'), page.indexOf('## What `owm doctor` finds'))

/** The first and the second cell of each row, '' where there is one only. */
const rows = [...generated.matchAll(/^\| (?!message|---)((?:[^|\\\n]|\\.)*) \|(?:((?:[^|\\\n]|\\.)*)\|)?/gm)].map(
  ([, text = '', second = '']) => ({ text: text.replaceAll('\\|', '|'), second: second.trim() }),
)

const quoted = (text: string): string => text.replace(/[\^$.*+?()[\]{}|]/g, '\\$&')

/** The row that a person finds: of those whose words are printed in their order, the one that has most of them. */
function rowOf(printed: string): string {
  const line = printed.replace(/\s+/g, ' ')
  const fitting = [...new Set(rows.flatMap(({ text }) => text.split('<br>')))]
    .filter((text) => new RegExp(text.split('…').map(quoted).join('.*')).test(line))
    .map((text) => ({ text, words: text.replaceAll('…', '').length }))
    .toSorted((a, b) => b.words - a.words)
  expect(fitting, printed).not.toEqual([])
  expect(fitting[1]?.words ?? 0, `two rows fit: ${printed}`).toBeLessThan(fitting[0]?.words ?? 0)
  return fitting[0]?.text ?? ''
}

const messageOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return toError(error).message
  }
  throw new Error('it was to fail')
}

it('has each message once, and every warning with an event that there is', () => {
  expect(rows.length).toBeGreaterThan(400)
  const tables = generated.split(/^## /m).map((table) => [...table.matchAll(/^\| (.*?) \|/gm)].map(([, text]) => text))
  for (const table of tables) expect(new Set(table).size).toBe(table.length)
  const events = rows.flatMap(({ second }) => /^`([a-z]+(?:-[a-z]+)+)`/.exec(second)?.[1] ?? [])
  expect(events.length).toBeGreaterThan(30)
  expect(events.filter((event) => !(event in logEvents))).toEqual([])
})

it('has what owm prints', async () => {
  const empty = await temporaryFolder()
  const wrong = await folderWith({ source: { use: 'static-list', file: '${NOWHERE}', fiel: 'a' }, sinc: {}, sink: {} })
  const list = await folderWith({ source: { use: 'static-list', file: 'none.csv' }, sink: { use: 'jsonl', path: 'x' } })
  const [nothing, flag, variable, command, missing] = await Promise.all([
    owm(['produce'], { cwd: empty }),
    owm(['produce', '--sorce', 'x'], { cwd: empty }),
    owm(['config', 'check'], { cwd: wrong }),
    owm(['prodcue'], { cwd: empty }),
    owm(['produce', '--outbox', join(list, 'o.db')], { cwd: list }),
  ])
  expect(rowOf(nothing.stderr)).toBe('There is no configuration in …, and no … was named.')
  expect(rowOf(flag.stderr)).toBe('Nonexistent flag: …')
  expect(rowOf(variable.stdout + variable.stderr)).toBe("… needs the environment variable …, which isn't set.")
  expect(rowOf(command.stderr)).toBe('There is no command `owm …`. …')
  expect(rowOf(missing.stderr)).toBe("The list … can't be read: ….")
})

it('has what is said of the outbox, the sinks, the list and its places', async () => {
  const full = Object.assign(new Error('SQLITE_FULL: database or disk is full'), { code: 'SQLITE_FULL' })
  const memory = Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' })
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'a'), '')
  await symlink('a', join(folder, 'b'))
  const link = await checkFile(join(folder, 'b')).catch((error: unknown) => error)
  const pdf = messageOf(() => refuseForeign(Buffer.from('%PDF-1.7 and so on'), 'a.pdf'))
  const nowhere = placeOf({ latitude: 91, longitude: 7, city: 'Bern' })
  const said: [string, string][] = [
    [asOutboxError('/o.db', full).message, "The outbox … can't be used: …."],
    [asOutboxError('/o.db', link).message, '… is a symbolic link, which could lead anywhere'],
    [missingOutbox('/o.db').message, 'There is no outbox ….'],
    [byRedis(memory, '127.0.0.1:6379').message, 'Redis at … answered: …'],
    [byRedis(refused, '127.0.0.1:1').message, "Redis at … can't be reached: …"],
    [byPostgres(refused, 'PostgreSQL at 127.0.0.1:1').message, 'PostgreSQL at …: …'],
    [new InterruptedError('SIGTERM').message, 'Interrupted by ….'],
    [pdf, 'a PDF document'],
    [nowhere instanceof Rejection ? nowhere.reason : '', '… must be a number of degrees from -… to …, not …'],
  ]
  for (const [printed, text] of said) expect(rowOf(printed), printed).toBe(text)
})

it('is made of all messages, and of none that cannot be read', async () => {
  const folder = await temporaryFolder()
  const file = join(folder, 'a.ts')
  const { messagesIn }: { messagesIn(files: string[], options: object, passedOn: object): { text: string }[] } =
    await import(join(root, 'scripts', 'messages.mjs'))
  const read = async (text: string, passedOn: object = {}): Promise<string[]> => {
    const classes = 'class OwmError extends Error { constructor(message: string, options = {}) { super(message) } }'
    await writeFile(file, `${classes}\nclass UsageError extends OwmError {}\n${text}\n`)
    return messagesIn([file], { target: ts.ScriptTarget.ES2022 }, passedOn).map((message) => message.text)
  }
  expect(await read('const fail = (a: string) => new UsageError(`The list ${a} is gone.`)')).toEqual([
    'The list … is gone.',
  ])
  expect(await read("const no = (a: string) => new UsageError(a)\nno('It is not there.')")).toEqual([
    'It is not there.',
  ])
  await expect(read('const no = (a: string) => new UsageError(a)')).rejects.toThrow(/a\.ts:3: a$/)
  await expect(read('declare const a: string, b: string\nthrow new UsageError(`${a} ${b}.`)')).rejects.toThrow(/:4/)
  await expect(read('const A = Math.random() ? UsageError : Error\nthrow new A("It is gone now.")')).rejects.toThrow(
    /:4/,
  )
  await expect(read('', { 'a.ts error.message': [] })).rejects.toThrow(/nothing like this is there/)
})
