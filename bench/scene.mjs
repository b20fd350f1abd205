/**
 * Where a benchmark runs: in a folder on the disk, with owm as it would be installed, a Redis of its own, and a clock
 * around whole processes.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tmpfs = 0x01021994

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
/** @type {string | undefined} */
let folder

/** A folder inside the clone, so on a disk like the user's; gone at the end. */
export function scene() {
  folder = mkdtempSync(join(root, 'node_modules', '.bench-'))
  if (statfsSync(folder).type === tmpfs)
    process.stderr.write('bench: this clone lies in memory (tmpfs): nothing here says what a disk would.\n')
  // What `npm pack` would take, in a place of its own, as an installation is: a build beside it changes nothing.
  const files = ['package.json', ...JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).files]
  for (const file of files)
    if (existsSync(join(root, file))) cpSync(join(root, file), join(folder, 'owm', file), { recursive: true })
  mkdirSync(join(folder, 'cwd'))
  writeFileSync(join(folder, 'cwd', 'package.json'), '{}\n') // the search for a configuration ends here
  return { folder, owm: join(folder, 'owm', 'bin', 'run.js'), cwd: join(folder, 'cwd') }
}

export function clear() {
  for (const child of children) child.kill('SIGKILL')
  if (folder) rmSync(folder, { recursive: true, force: true })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    clear()
    process.exit(130)
  })

/** For Node alone: with it Node 20 reads a bundle of certificates at every start, 40 ms that the peers don't pay. */
export const extraCertificates = process.env.NODE_EXTRA_CA_CERTS

/** Environment of every side: nothing of the user's own owm, nor of this user's Node. */
const own = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS']
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('OWM_') && !own.includes(name)),
)

/**
 * Starts a program in the temporary folder, with nothing of the user's own owm.
 *
 * @param {readonly string[]} command
 * @param {{cwd?: string, stdin?: string, env?: Record<string, string>}} [options] stdin: a file
 */
function start([program = '', ...args], options = {}) {
  const child = spawn(program, args, {
    cwd: options.cwd ?? folder,
    env: { ...env, ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : openSync(options.stdin, 'r'), 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('close', () => children.delete(child))
  return child
}

/**
 * Runs a program to its end; anything but exit code 0 ends the benchmark.
 *
 * @param {readonly string[]} command
 * @param {{cwd?: string, stdin?: string, env?: Record<string, string>}} [options] stdin: a file
 * @returns {Promise<{seconds: number, stdout: string}>} the time from start to exit
 */
export async function timed(command, options = {}) {
  const started = process.hrtime.bigint()
  const child = start(command, options)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (text) => {
    stdout += text
  })
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const closed = once(child, 'close')
  const [code, signal] = await once(child, 'exit')
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  await closed
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code ?? signal}:\n${stderr}${stdout}`)
  return { seconds, stdout }
}

/**
 * Starts a program and kills it (SIGKILL) after some seconds. False: it had ended before.
 *
 * @param {readonly string[]} command
 * @param {number} seconds
 * @param {{cwd?: string}} [options]
 */
export async function killed(command, seconds, options) {
  const child = start(command, options)
  child.stdout?.resume()
  child.stderr?.resume()
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  const [, signal] = await once(child, 'close')
  clearTimeout(timer)
  return signal === 'SIGKILL'
}

/** @param {readonly string[]} command */
export const works = ([program = '', ...args]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0

/** A redis-server of our own: loopback, free port, nothing on disk. */
export async function startRedis() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  server.close()
  await once(server, 'close')
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder ?? '.',
  ]
  const child = spawn('redis-server', options, { stdio: 'ignore' })
  children.add(child)
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => undefined) // it isn't up yet
  await Promise.race([
    client.ping(),
    once(child, 'exit').then(() => Promise.reject(new Error('redis-server ended at once'))),
  ])
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? ''
  const stop = async () => {
    client.disconnect()
    child.kill()
    await once(child, 'exit')
    children.delete(child)
  }
  return { port: String(port), url: `redis://127.0.0.1:${port}`, client, version, stop }
}

/** A consumer group that keeps up: its position is moved to the end ten times a second, which costs Redis nothing. */
export async function readAlong(/** @type {Redis} */ client, /** @type {string} */ stream) {
  await client.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM').catch(() => undefined) // there already
  const stopped = new AbortController()
  const done = (async () => {
    while (!stopped.signal.aborted) {
      await client.xgroup('SETID', stream, 'workers', '$')
      await sleep(100)
    }
  })()
  return async () => {
    stopped.abort()
    await done
  }
}

/** A server of HTTP that takes whatever comes. */
export async function listening() {
  const server = createHttpServer((request, response) => request.resume().on('end', () => response.end()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  return { url, stop: () => void server.close() }
}
