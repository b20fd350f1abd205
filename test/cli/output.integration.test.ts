/** What the built program writes to standard output and standard error. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bin, folderWith, owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { base, type Counts, deadSink, pendingIn, tasksIn } from './scene.js'

describe('no secret reaches a debug output', () => {
  it.each(['*', 'ioredis:*,oclif*'])('DEBUG=%s: the password of Redis', async (DEBUG) => {
    const redis = await startRedisProcess({ args: ['--requirepass', 'Hunter2-s3cret'] })
    onTestFinished(() => redis.stop())
    const url = redis.url.replace('redis://', 'redis://:Hunter2-s3cret@')
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 3 },
      sink: { use: 'redis-stream', url },
      outbox: { path: 'o.db' },
    })
    for (const args of [[], ['--set', `sink.url=${url}`], [`--set=sink.url=${url}`]]) {
      const { code, stdout, stderr } = await owm(['produce', ...args], { cwd, env: { DEBUG } })
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('3 tasks delivered') })
      // What is there to debug is still said, the AUTH among it.
      expect(stderr).toMatch(/ioredis:redis write command.*auth\(\[ .*\*\*\*/)
      expect(stderr).toContain('oclif')
      expect(stderr + stdout).not.toMatch(/Hunter2|s3cret/)
    }
  })

  it('DEBUG=*: what --set gives to a key with the name of a secret', async () => {
    const cwd = await folderWith({ source: { use: 'simulated-db' }, sink: { use: 'jsonl', path: '-' } })
    const args = ['produce', '--dry-run', '--set', 'source.apiKey=Hunter2-s3cret']
    const { code, stderr } = await owm(args, { cwd, env: { DEBUG: '*' } })
    expect(code).toBe(78)
    expect(stderr).toContain('source.apiKey=***')
    expect(stderr).not.toMatch(/Hunter2|s3cret/)
  })

  it('a URL in a place where none belongs: its password', async () => {
    const url = 'redis://:Hunter2-s3cret@localhost'
    for (const args of [
      ['produce', url],
      ['produce', '--config', url],
      ['produce', '--source', url],
    ]) {
      const { code, stdout, stderr } = await owm(args)
      expect(code).not.toBe(0)
      expect(stdout + stderr).not.toMatch(/Hunter2|s3cret/)
    }
  })

  it.each(['*', 'undici,fetch,http,net,tls'])('NODE_DEBUG=%s: the query of a URL, a token', async (NODE_DEBUG) => {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify([{ city: 'Here', latitude: 1, longitude: 2 }]))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
    })
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const cwd = await folderWith({
      source: {
        use: 'http',
        url: `http://127.0.0.1:${port}/x?apikey=Hunter2-s3cret`,
        auth: { bearer: 'tok-Hunter2' },
        pagination: { type: 'link' },
      },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'o.db' },
    })
    const { code, stderr } = await owm(['produce'], { cwd, env: { NODE_DEBUG } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('sending request to GET') })
    expect(stderr).not.toMatch(/Hunter2|s3cret/)
  })
})

/** Runs owm in a shell, whose redirections `where` has; gives the exit code. */
const redirected = async (args: string, where: string, cwd: string): Promise<number> =>
  (await inShell(`set -o pipefail; ${process.execPath} ${bin} ${args} ${where}`, cwd)).code

/** Runs a line of a shell, with the exit code of its last command. */
async function inShell(line: string, cwd: string): Promise<{ code: number; stderr: string }> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn('bash', ['-c', line], { cwd, env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.resume()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stderr }
}

describe('output that cannot be written ends no run, and changes no exit code:', () => {
  const ways = ['> /dev/full', '2> /dev/full', '> /dev/full 2>&1', '>&-', '2>&-', '>&- 2>&-', '| true', '2>&1 | true']
  it.each(ways)('%s', async (where) => {
    const good = await folderWith(base)
    expect(await redirected('produce', where, good)).toBe(0)
    expect(await tasksIn(good)).toHaveLength(20)
    // Warnings of retries, a summary and an error.
    const dead = await folderWith({ ...base, sink: deadSink, retry: { attempts: 2, initialDelayMs: 1 } })
    for (const args of ['produce', 'flush --json']) expect(await redirected(args, where, dead)).toBe(75)
    expect(await pendingIn(dead)).toBe(20)
    for (const args of ['produce --nope', 'nosuch', 'produce --slot never --json'])
      expect(await redirected(args, where, good)).toBe(2)
    // What a command is to show is lost on a full disk, and not where its reader has left.
    const shown = where.startsWith('> ') ? 74 : 0
    for (const args of ['outbox inspect', 'config show --json', 'plugins'])
      expect(await redirected(args, where, good)).toBe(shown)
    for (const args of ['produce --help', '--version']) expect(await redirected(args, where, good)).toBe(0)
  })

  it.each([
    ['> /dev/full', 75],
    ['| true', 75],
    ['>&-', 78],
  ])('but tasks that go there are not delivered: %s', async (where, code) => {
    const cwd = await folderWith({ ...base, sink: { use: 'jsonl', path: '-' } })
    expect(await redirected('produce', where, cwd)).toBe(code)
    expect(await pendingIn(cwd)).toBe(20)
    expect(await redirected('flush', '> /dev/null', cwd)).toBe(0)
    expect(await pendingIn(cwd)).toBe(0)
  })
})

it('a reader that has gone is not asked again by this process, and opens no circuit for the next', async () => {
  const sink = { use: 'jsonl', path: '-' }
  const retry = { attempts: 8, initialDelayMs: 1_000 }
  const cwd = await folderWith({ ...base, sink, retry, breaker: { failures: 1 } })
  const { code, stderr } = await inShell(`{ ${process.execPath} ${bin} produce; echo "exit $?" >&2; } | true`, cwd)
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('reader of standard output has gone') })
  expect(stderr).toContain('exit 75')
  expect(stderr).not.toContain('tried again')
  expect(await redirected('flush', '> /dev/null', cwd)).toBe(0)
  expect(await pendingIn(cwd)).toBe(0)
})

describe('a command that only shows says exit 0 of no loss:', () => {
  const disk = /can't be written to standard output: ENOSPC/
  const scheduled = { ...base, schedule: { cron: '0 * * * *' } }
  const owmTo = (args: string, where: string): string => `${process.execPath} ${bin} ${args} ${where}`

  it('a full disk', async () => {
    const cwd = await folderWith(scheduled)
    expect(await inShell(owmTo('produce --json', '> /dev/full'), cwd)).toEqual({
      code: 0,
      stderr: expect.stringMatching(/"level":40.*"event":"output-lost".*ENOSPC/),
    })
    const commands = ['runs', 'outbox inspect', 'schedule', 'plan', 'verify', 'doctor']
    const dry = ['produce --dry-run', 'flush --dry-run']
    for (const args of [...commands, ...dry, 'init --print crontab', 'outbox export', 'report --out r.html'])
      for (const json of /export|print/.test(args) ? [''] : ['', ' --json']) {
        const { code, stderr } = await inShell(owmTo(args + json, '> /dev/full'), cwd)
        expect({ args, json, code, stderr }).toEqual({ args, json, code: 74, stderr: expect.stringMatching(disk) })
        expect(stderr.match(/ENOSPC/g)).toHaveLength(1)
      }
  })

  it('a full disk under a file that was named, or that init makes', async () => {
    const cwd = await folderWith(base)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    for (const [args, blocks] of [
      ['report --out r.html', 100],
      ['plugins new sink stations', 1],
    ] as const) {
      const { code, stderr } = await inShell(`ulimit -f ${blocks}; ${owmTo(args, '')}`, cwd)
      expect({ args, code, stderr }).toEqual({ args, code: 74, stderr: expect.stringMatching(/EFBIG.*\n.*Make room/) })
    }
    expect(await inShell(owmTo('report --out -', '> /dev/full'), cwd)).toEqual({
      code: 74,
      stderr: expect.stringMatching(disk),
    })
    const empty = await temporaryFolder()
    for (const blocks of [1, 8]) {
      const { code, stderr } = await inShell(`ulimit -f ${blocks}; ${owmTo('init', '')}`, empty)
      expect({ code, stderr }).toEqual({ code: 74, stderr: expect.stringMatching(/EFBIG.*\n.*Make room/) })
    }
    expect(await inShell(owmTo('init', ''), empty)).toMatchObject({ code: 0 })
  })

  it('a standard output that is closed, where what it makes was to be printed', async () => {
    const cwd = await folderWith(base)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    for (const args of ['outbox export', 'report --out -']) {
      const stderr = expect.stringMatching(/^owm: Standard output is closed/)
      expect({ args, ...(await inShell(owmTo(args, '>&-'), cwd)) }).toEqual({ args, code: 74, stderr })
      expect(await inShell(owmTo(args, '> /dev/null'), cwd)).toMatchObject({ code: 0 })
    }
  })

  it('a part that still had room', async () => {
    const cwd = await folderWith(base)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    const { code, stderr } = await inShell(`ulimit -f 1; ${owmTo('plugins --json', '> half.json')}`, cwd)
    expect({ code, stderr }).toEqual({ code: 74, stderr: expect.stringContaining('EFBIG') })
    expect((await stat(join(cwd, 'half.json'))).size).toBe(1024)
  })

  it('a reader that leaves early has what it wants', async () => {
    const cwd = await folderWith(scheduled)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    for (const args of ['runs --json', 'outbox inspect', 'schedule'])
      expect(await inShell(`set -o pipefail; ${owmTo(args, '| true')}`, cwd)).toEqual({ code: 0, stderr: '' })
  })
})

describe('exit 70: a fault of owm or of a plugin', () => {
  const plugin = (body: string): string => `
    import { defineSource, TransientError, z } from ${JSON.stringify(join(root, 'dist', 'index.js'))}
    class Odd extends TransientError { exitCode = 3 }
    export default defineSource({ name: 'odd', description: 'odd', options: z.strictObject({}), open: () => ({
      async *read() { ${body}; yield { locations: [], resume: '1', position: () => 'x' } },
    }) })`

  it.each([
    [
      'throws in a timer',
      'setTimeout(() => { throw new Error("in a timer") }); await new Promise(() => {})',
      'in a timer',
    ],
    [
      'forgets a promise',
      'Promise.reject(new Error("left alone")); await new Promise((r) => setTimeout(r, 9_000))',
      'left',
    ],
    ['exits by itself', 'process.exit(3)', 'exit code 3'],
    ['exits as if all were done', 'process.exit(0)', 'ended the process before owm was done'],
  ])('a source that %s', async (_, body, message) => {
    const cwd = await folderWith({ ...base, source: { use: './odd.mjs' } })
    await writeFile(join(cwd, 'odd.mjs'), plugin(body))
    const { code, stderr } = await owm(['produce'], { cwd })
    expect({ code, stderr }).toEqual({ code: 70, stderr: expect.stringContaining(message) })
    expect(stderr).not.toMatch(/^\s+at /m)
    if (message.startsWith('exit')) return
    const { json, stderr: none, ...ran } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code: ran.code, none, json }).toMatchObject({
      code: 70,
      none: '',
      json: { source: { name: './odd.mjs' }, error: { code: 'INTERNAL', message: expect.stringContaining(message) } },
    })
  })

  it.each([
    ['the source ./odd.mjs', ['produce'], { ...base, source: { use: './odd.mjs' } }],
    [/the configuration \/\S+\/odd\.mjs/, ['runs', '--config', 'odd.mjs'], base],
  ])('%s does not come to its end when it is loaded', async (name, args, config) => {
    const cwd = await folderWith(config)
    const what = typeof name === 'string' ? name : name.source
    for (const [body, words] of [
      ['await new Promise(() => {})', `It waits for something that never happens: ${what} awaits`],
      ['process.exit(0)', `It was cut short: ${what} ended the process`],
    ]) {
      await writeFile(join(cwd, 'odd.mjs'), `${body}\nexport default {}`)
      const message = expect.stringMatching(words ?? '')
      expect(await owm(args, { cwd })).toMatchObject({ code: 70, stderr: message })
      const { code, json } = await owmJson<Counts>(args, { cwd })
      expect({ code, json }).toMatchObject({ code: 70, json: { error: { code: 'INTERNAL', message } } })
    }
  })

  it('an installation that is damaged', async () => {
    const cwd = await folderWith(base)
    await cp(join(root, 'bin'), join(cwd, 'bin'), { recursive: true })
    const { code, stderr } = await owm(['produce'], { cwd, script: join(cwd, 'bin', 'run.js') })
    expect({ code, stderr }).toEqual({
      code: 70,
      stderr: expect.stringMatching(/^owm: .*main\.js[\s\S]*Install owm again/),
    })
  })

  it("an error with a plugin's own exit code", async () => {
    const cwd = await folderWith({ ...base, source: { use: './odd.mjs' } })
    await writeFile(join(cwd, 'odd.mjs'), plugin('throw new Odd("odd")'))
    expect((await owm(['produce'], { cwd })).code).toBe(75)
  })
})
