/** What the command line understands, and how it speaks. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { api, cities, json } from '../sources/http/api.js'
import { bin, folderWith, owm, owmJson, type Running, startOwm, until } from '../support/cli.js'
import { base, type Counts, deadSink, pendingIn, startAndStopAt, tasksIn, untilStopped } from './scene.js'

describe('help and version', () => {
  it.each([
    [['-h'], ['--help']],
    [['help'], ['--help']],
    [
      ['help', 'produce'],
      ['produce', '--help'],
    ],
    [
      ['help', 'outbox', 'inspect'],
      ['outbox', 'inspect', '--help'],
    ],
    [
      ['produce', '-h'],
      ['produce', '--help'],
    ],
    [['-v'], ['--version']],
    [['version'], ['--version']],
  ])('%j is %j', async (short, long) => {
    const [a, b] = [await owm(short), await owm(long)]
    expect(a).toEqual(b)
    expect(a).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/owm/) })
  })

  it('of a command that is not there: 2', async () => {
    const { code, stdout, stderr } = await owm(['help', 'nosuch'])
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: 'owm: Command nosuch not found.\n     `owm --help` lists the commands.\n',
    })
  })
})

it.each([
  [['produce', '--stric'], '--strict'],
  [['flush', '--limti', '3'], '--limit'],
  [['outbox', 'inspect', '--log-lvel=warn'], '--log-level'],
])('%j: did you mean %s?', async (args, flag) => {
  const { code, stderr } = await owm(args, { cwd: await folderWith(base) })
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`Did you mean \`${flag}\`?`) })
})

it('what stands behind -- is no flag: words, not JSON', async () => {
  expect(await owm(['runs', '--', '--json'], { cwd: await folderWith(base) })).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^owm: /),
  })
})

it.each(['produce', 'flush'])('%s -n is --dry-run', async (command) => {
  const cwd = await folderWith(base)
  const { code, stdout } = await owm([command, '-n'], { cwd })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('dry run') })
})

it('an argument that is not UTF-8 is refused: a filter would match nothing, an outbox be another file', async () => {
  const cwd = await folderWith(base)
  const inLatin1 = String.raw`exec "$0" "$1" produce --outbox "$(printf 'caf\351.db')"`
  const child = spawn('sh', ['-c', inLatin1, process.execPath, bin], { cwd })
  const stderr: string[] = []
  child.stderr.on('data', (chunk) => stderr.push(String(chunk)))
  expect(await once(child, 'close')).toEqual([2, null])
  expect(stderr.join('')).toContain("The argument caf\ufffd.db isn't valid UTF-8.")
  expect(await readdir(cwd)).toEqual(['.owmrc.json'])
})

describe('-q', () => {
  it('prints nothing when all is well, so that cron has nothing to mail', async () => {
    const cwd = await folderWith(base)
    for (const args of [['produce'], ['flush'], ['outbox', 'purge']])
      expect(await owm([...args, '-q'], { cwd })).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await tasksIn(cwd)).toHaveLength(20)
    expect((await owmJson<Counts>(['flush', '-q'], { cwd })).json.outbox.pending).toBe(0)
  })

  it('tells of trouble, with the summary', async () => {
    const { code, stdout, stderr } = await owm(['produce', '--quiet'], {
      cwd: await folderWith({ ...base, sink: deadSink }),
    })
    expect({ code, stdout }).toEqual({ code: 75, stdout: expect.stringContaining('20 pending') })
    expect(stderr).toContain('127.0.0.1:1')
  })
})

describe('warnings', () => {
  const config = { ...base, sink: deadSink, retry: { attempts: 2, initialDelayMs: 1 } }
  const isJson = (text: string): boolean => text.startsWith('{')

  it('are words', async () => {
    const { stderr } = await owm(['produce'], { cwd: await folderWith(config) })
    expect(stderr).toMatch(/^owm: warning: a call failed and is tried again: .*127\.0\.0\.1:1.* \(around sink, .*\)$/m)
    expect(stderr).not.toMatch(/[{}]/)
  })

  it.each([
    [['--log-format', 'json'], {}, true],
    [[], { log: { format: 'json' } }, true],
    [['--log-format', 'words'], { log: { format: 'json' } }, false],
    [['--json'], {}, true],
    [['--json', '--log-format', 'words'], {}, false],
  ])('with %j and %j: JSON is %s', async (args, more, expected) => {
    const { stderr } = await owm(['produce', ...args], { cwd: await folderWith({ ...config, ...more }) })
    expect(isJson(stderr)).toBe(expected)
  })
})

it("others' text obeys no terminal, and forges no line", async () => {
  const evil = 'x\u001b]0;title\u0007\u009b31m\u202e\nowm: warning: all is well'
  const cwd = await folderWith({ ...base, source: { use: './evil.mjs' }, log: { format: 'words' } })
  await writeFile(
    join(cwd, 'evil.mjs'),
    `import { defineSource, z } from 'owm'
     const evil = ${JSON.stringify(evil)}
     const options = z.strictObject({})
     export default defineSource({ name: 'evil', description: evil, options, open: (_, { log }) => ({
       async *read() { log.warn({ reason: evil }, evil); throw new Error(evil) },
     }) })`,
  )
  for (const args of [
    ['produce'],
    ['produce', '--json'],
    ['produce', '--log-level', 'debug'],
    ['plugins'],
    ['plugins', '--json'],
  ]) {
    const { stdout, stderr } = await owm(args, { cwd })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(stdout + stderr).not.toMatch(/^owm: warning: all is well/m)
  }
  // As data it stays what it is.
  const { json } = await owmJson<{ plugins: { use: string; description: string }[] }>(['plugins'], { cwd })
  expect(json.plugins.find(({ use }) => use === './evil.mjs')?.description).toBe(evil)
})

describe('waiting', () => {
  async function held(): Promise<{ cwd: string; holder: Running }> {
    const cwd = await folderWith(base)
    const holder = startAndStopAt('intake:persisted', ['produce'], cwd)
    onTestFinished(() => {
      holder.child.kill('SIGKILL')
    })
    await untilStopped(holder.child.pid)
    return { cwd, holder }
  }

  /** Starts owm, and waits until it says on standard error that it waits. */
  async function waiting(args: string[], cwd: string): Promise<Running & { said: string }> {
    const running = startOwm(args, { cwd })
    let said = ''
    running.child.stderr?.on('data', (text: string) => {
      said += text
    })
    await until(() => said.includes('\n'))
    return { ...running, said }
  }

  it('says that it waits, and for whom; a second flush that waits has nothing to add', async () => {
    const { cwd, holder } = await held()
    const logged = ['--wait-for', '1s', '--log-format', 'json', '--log-level', 'info']
    const { stderr } = await owm(['outbox', 'retry', '--all', ...logged], { cwd })
    const holding = expect.stringContaining(`process ${holder.child.pid} `)
    expect(JSON.parse(stderr.split('\n')[0] ?? '')).toMatchObject({ event: 'outbox-awaited', holder: holding })
    const first = await waiting(['flush', '--wait'], cwd)
    expect(first.said).toMatch(
      new RegExp(
        `^owm: Waiting for the outbox .*o\\.db, which another owm holds: process ${holder.child.pid} .*produce`,
      ),
    )
    const second = await owmJson<Counts>(['flush', '--wait'], { cwd })
    expect(second).toMatchObject({ code: 75, json: { error: { code: 'OUTBOX_BUSY', hint: expect.any(String) } } })
    expect(second.json.error?.message).toContain('waits for it already')
    holder.child.kill('SIGCONT')
    expect([(await holder.ended).code, (await first.ended).code]).toEqual([0, 0])
    expect(await tasksIn(cwd)).toHaveLength(20)
    expect((await owm(['flush', '--wait'], { cwd })).code).toBe(0)
  })

  it('--wait-for waits no longer', async () => {
    const { cwd } = await held()
    for (const args of [['produce'], ['flush'], ['outbox', 'purge'], ['outbox', 'retry', '--all']]) {
      const ran = await owm([...args, '--wait-for', '1s'], { cwd })
      expect(ran).toMatchObject({ code: 75, stderr: expect.stringMatching(/Waiting for[\s\S]*Another owm holds/) })
    }
    expect((await owm(['flush', '--wait-for', 'soon'], { cwd })).code).toBe(2)
  })
})

describe('an open circuit', () => {
  it('of the source is asked again with produce --force', async () => {
    let isDown = true
    const { origin: url } = await api((_, response) => {
      if (isDown) response.writeHead(503).end()
      else json(response, cities(20))
    })
    const cwd = await folderWith({
      ...base,
      source: { use: 'http', url, pagination: { type: 'link' } },
      breaker: { failures: 1, resetAfterMs: 3_600_000 },
    })
    expect((await owm(['produce'], { cwd })).code).toBe(75)
    isDown = false
    expect(await owm(['produce'], { cwd })).toMatchObject({ code: 75, stderr: expect.stringContaining('--force') })
    expect(await owm(['produce', '--force'], { cwd })).toMatchObject({ code: 0 })
    expect((await owm(['flush'], { cwd })).code).toBe(0)
  })

  it('of the sink is probed at once by a flush at a terminal', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink, breaker: { failures: 1, resetAfterMs: 3_600_000 } })
    expect((await owm(['produce'], { cwd })).code).toBe(75)
    const config = JSON.parse(await readFile(join(cwd, '.owmrc.json'), 'utf8'))
    expect(await owm(['flush'], { cwd })).toMatchObject({ code: 75, stderr: expect.stringContaining('circuit') })
    expect(await pendingIn(cwd)).toBe(20)
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...config, retry: { attempts: 1 } }))
    const terminal = spawn('script', ['-qec', `${process.execPath} ${bin} flush`, '/dev/null'], { cwd })
    let said = ''
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = await once(terminal, 'close')
    // It was asked, and not only told that it isn't.
    expect({ code, said }).toEqual({ code: 75, said: expect.stringContaining('ECONNREFUSED') })
  })
})
