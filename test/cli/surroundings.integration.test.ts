/** owm where something that a process takes for granted isn't there: it says so, or does without. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bin, folderWith, owm, type Ran, temporaryFolder } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'

const source = ['--source', 'simulated-db', '--set', 'source.count=3']
const produce = ['produce', ...source, '--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl', '--outbox', 'outbox.db']

/** Runs a line of shell in a folder; `$@` is owm with these arguments. */
async function shell(line: string, args: readonly string[], cwd: string): Promise<Ran> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd }
  const child = spawn('sh', ['-c', line, 'sh', process.execPath, bin, ...args], { cwd, env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr }
}

describe('a working directory that was deleted', () => {
  it.each([['produce'], ['flush'], ['init'], ['plugins'], ['config', 'show'], ['outbox', 'inspect']])(
    'is told of by %s %s',
    async (...command) => {
      const ran = await shell('mkdir gone && cd gone && rmdir ../gone && "$@"', command, await temporaryFolder())
      expect(ran).toMatchObject({ code: 78, stdout: '' })
      expect(ran.stderr).toBe(
        'owm: The working directory has been deleted.\n     Change to a folder that exists, then run again.\n',
      )
    },
  )

  it('is no matter for --help', async () => {
    const ran = await shell('mkdir gone && cd gone && rmdir ../gone && "$@"', ['--help'], await temporaryFolder())
    expect(ran).toMatchObject({ code: 0, stderr: '' })
  })
})

it('says that there are too few file descriptors, wherever they run out', async () => {
  const cwd = await temporaryFolder()
  let told = 0
  for (let limit = 30; ; limit--) {
    const { code, stderr } = await shell(`ulimit -n ${limit} && "$@"`, produce, cwd)
    if (code === 0) continue
    if (!stderr.startsWith('owm: ')) break // so few that Node itself doesn't get as far as owm
    told++
    expect({ limit, code, stderr }).toMatchObject({ code: 78, stderr: expect.stringMatching(/ulimit -n 1024/) })
  }
  expect(told).toBeGreaterThan(2)
})

describe('a HOME', () => {
  it.each(['/dev/null', '/nonexistent', '', 'relative'])('%j is no reason to complain', async (HOME) => {
    const ran = await owm(produce, { cwd: await temporaryFolder(), env: { HOME } })
    expect(ran).toMatchObject({ code: 0, stderr: '' })
  })

  it("of somebody else's isn't searched for plugins of owm", async () => {
    const HOME = await temporaryFolder()
    const { code, stderr } = await owm(['--version'], { env: { HOME, XDG_DATA_HOME: '/dev/null', DEBUG: 'oclif*' } })
    expect(code).toBe(0)
    expect(stderr).toContain('oclif') // it does log what it reads
    expect(stderr).not.toMatch(/\/dev\/null\/owm/)
  })
})

describe('a place that the outbox cannot have: config check and produce agree', () => {
  const deep = Array.from({ length: 4 }, () => 'd'.repeat(120)).join('/')

  it.each([
    [
      'a path that SQLite does not take',
      `${deep}/outbox.db`,
      74,
      /its path has \d+ bytes, and SQLite takes 490 at most/,
    ],
    ['a name without room for the journal', `${'n'.repeat(243)}`, 74, /its name has 243 bytes/],
    ['a folder behind a link to nothing', 'link/outbox.db', 74, /link to what isn't there/],
  ])('%s', async (_, path, code, why) => {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, deep), { recursive: true })
    await symlink('nowhere', join(cwd, 'link'))
    const args = produce.map((arg) => (arg === 'outbox.db' ? path : arg))
    expect(await owm(args, { cwd })).toMatchObject({ code, stderr: expect.stringMatching(why) })
    const checked = await owm(['config', 'check', ...args.slice(1)], { cwd })
    expect(checked.code).toBe(78)
    expect(checked.stdout + checked.stderr).toMatch(
      path.startsWith('link') ? /link to nowhere, which isn't there/ : why,
    )
  })
})

it('a line feed in the name of a folder begins no line of what is printed', async () => {
  const cwd = join(await temporaryFolder(), 'a\nowm: warning: no')
  await mkdir(cwd)
  const { code, stdout } = await owm(produce, { cwd })
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining('a\ufffdowm: warning: no/outbox.db is new'),
  })
})

describe.runIf(isRootOnLinux)('a folder in which the system lets nobody make one', () => {
  const timeout = 15_000

  it.each(['/proc/x/y/outbox.db', '/proc/outbox.db'])('holds no outbox: %s', async (path) => {
    const cwd = await temporaryFolder()
    const args = produce.map((arg) => (arg === 'outbox.db' ? path : arg))
    const produced = await owm(args, { cwd, timeout })
    expect(produced).toMatchObject({ code: 74, stderr: expect.stringContaining("its folder isn't there") })
    const checked = await owm(['config', 'check', ...args.slice(1)], { cwd, timeout })
    expect(checked).toMatchObject({ code: 78, stdout: expect.not.stringContaining(`${path} can be written`) })
    expect(checked.stdout + checked.stderr).toContain(`${path} can't be written: proc is the kernel's`)
  })

  it('holds no plugin', async () => {
    const ran = await owm(['plugins', 'new', 'sink', '/proc/x/stations'], { timeout })
    expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining("/proc/x/stations can't be written") })
  })
})

it.runIf(isRootOnLinux)('needs no /dev/shm', async () => {
  const devices = ['null 1 3', 'zero 1 5', 'random 1 8', 'urandom 1 9'].map((device) => {
    const [name, ...numbers] = device.split(' ')
    return `mknod -m 666 /dev/${name} c ${numbers.join(' ')}`
  })
  const line = `mount -t tmpfs none /dev && ${devices.join(' && ')} && "$@"`
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'line.sh'), line)
  const ran = await shell('exec unshare --mount sh line.sh "$@"', produce, cwd)
  expect(ran).toMatchObject({ code: 0, stderr: '' })
})

describe('a signal before the program is loaded', () => {
  /** Stops where owm's first file is about to be loaded, sends this process a signal, and never goes on. */
  const preload = `
    import { register } from 'node:module'
    import { MessageChannel } from 'node:worker_threads'
    const { port1, port2 } = new MessageChannel()
    port1.on('message', (signal) => process.kill(process.pid, signal))
    const hooks = \`
      let port
      export const initialize = (given) => { port = given }
      export async function load(url, context, next) {
        if (!url.endsWith('/dist/cli/main.js')) return next(url, context)
        port.postMessage(process.env.TEST_SIGNAL)
        await new Promise((resolve) => setTimeout(resolve, 30_000))
      }\`
    register('data:text/javascript,' + encodeURIComponent(hooks), { data: port2, transferList: [port2] })
  `
  async function preloaded(): Promise<string> {
    const file = join(await temporaryFolder(), 'preload.mjs')
    await writeFile(file, preload)
    return file
  }

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 143],
    ['SIGINT', 130],
  ])('%s ends it with exit code %i', async (signal, code) => {
    const node = ['--import', await preloaded()]
    expect(await owm(['--version'], { node, env: { TEST_SIGNAL: signal } })).toEqual({
      code,
      signal: null,
      stdout: '',
      stderr: '',
    })
  })

  it.runIf(isRootOnLinux)('ends process 1 of a container, too', async () => {
    const args = ['--pid', '--fork', '--mount-proc', process.execPath, '--import', await preloaded(), bin, '--version']
    const env = { PATH: process.env['PATH'] ?? '', TEST_SIGNAL: 'SIGTERM' }
    const failed: unknown = await promisify(execFile)('unshare', args, { env, timeout: 20_000 }).catch((error) => error)
    expect(failed).toMatchObject({ code: 143, stdout: '', stderr: '' })
  })
})

it.each([
  ['SIGTERM', 143],
  ['SIGHUP', 143],
  ['SIGINT', 130],
])('hears a %s that comes while a command takes its signals over', async (signal, code) => {
  // The command's first step; the signal waits until this turn of the event loop is over.
  const preload = `
    const prepend = process.prependListener
    process.prependListener = function (event, listener) {
      if (event === 'uncaughtException') process.kill(process.pid, '${signal}')
      return prepend.call(this, event, listener)
    }
  `
  const file = join(await temporaryFolder(), 'preload.mjs')
  await writeFile(file, preload)
  const sink = { use: 'jsonl', path: './tasks.jsonl' }
  const cwd = await folderWith({ source: { use: 'simulated-db' }, sink, outbox: { path: './o.db' } })
  expect(await owm(['produce'], { cwd, node: ['--import', file] })).toMatchObject({ code })
})

it('leaves no folder where HOME is relative', async () => {
  const cwd = await temporaryFolder()
  await owm(['--version'], { cwd, env: { HOME: 'relative' } })
  await expect(rm(join(cwd, 'relative'), { recursive: true })).rejects.toMatchObject({ code: 'ENOENT' })
})
