/**
 * A real Redis for the tests: a container where a Docker engine answers, else a local redis-server.
 * Never a skip: with neither of them a test fails, and says what to install.
 *
 * OWM_TEST_REDIS_IMAGE              the container's image (default redis:7); see redis-image.sh
 * OWM_TEST_REQUIRE_CONTAINER=1      startRedis() throws rather than fall back to a process (CI)
 * OWM_TEST_REDIS_TRACE=FILE         gets a line for every container: "container <image> <id>"
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ContainerRuntimeClient } from 'testcontainers'

export interface RedisOptions {
  /** More arguments for redis-server, such as `['--appendonly', 'yes']`: a later one wins. */
  readonly args?: readonly string[]
  /** Makes a Sentinel of it, with this text as its configuration. */
  readonly sentinel?: string
}

interface RedisServer {
  readonly host: string
  readonly port: number
  readonly url: string
  /** Ends it and leaves nothing behind. A second call does nothing. */
  stop(): Promise<void>
}

export interface RedisInContainer extends RedisServer {
  readonly kind: 'container'
  readonly image: string
  readonly id: string
}

export interface RedisProcess extends RedisServer {
  readonly kind: 'process'
  /** The data directory. It outlives restart(), and goes with stop(). */
  readonly directory: string
  /** Another one after restart(). */
  readonly pid: number
  /** SIGKILL and SIGTERM resolve when the process is gone; SIGSTOP and SIGCONT at once. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** The same port, directory and arguments; whatever still runs is ended first, in good order. */
  restart(): Promise<void>
}

export type TestRedis = RedisInContainer | RedisProcess

const DEFAULT_IMAGE = 'redis:7'
const NOT_PERSISTENT = ['--save', '', '--appendonly', 'no']
const START_TIMEOUT_MS = 30_000
const INSTALL = [
  'Install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis;',
  'Fedora: dnf install redis; Alpine: apk add redis) or start a Docker engine.',
].join(' ')

/** A Redis of its own for the caller: a container if Docker answers, else a process. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const { OWM_TEST_REDIS_IMAGE: image = DEFAULT_IMAGE, OWM_TEST_REQUIRE_CONTAINER } = process.env
  const missing = await whyNoContainer(image)
  if (missing === undefined) return startRedisContainer(image, options)
  if (OWM_TEST_REQUIRE_CONTAINER === '1') {
    throw new Error(`OWM_TEST_REQUIRE_CONTAINER=1, but ${missing}.`)
  }
  return startRedisProcess(options)
}

/** Always a local process: for faults (kill, stop, restart on the same data) that need one. */
export async function startRedisProcess(options: RedisOptions = {}): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt++) {
    const directory = await mkdtemp(join(tmpdir(), 'owm-test-redis-'))
    const server = new LocalRedis(randomPort(), directory, options)
    try {
      await server.start()
      return server
    } catch (error) {
      await server.stop()
      if (!(error instanceof PortTaken) || attempt === 20) throw error
    }
  }
}

async function startRedisContainer(image: string, options: RedisOptions): Promise<RedisInContainer> {
  const { RedisContainer } = await import('@testcontainers/redis')
  // The command replaces the image's own, and outside connections need protected mode off.
  const container = await new RedisContainer(image)
    .withCommand(['redis-server', '--protected-mode', 'no', ...NOT_PERSISTENT, ...(options.args ?? [])])
    .start()
  const id = container.getId()
  const { OWM_TEST_REDIS_TRACE: trace } = process.env
  if (trace) await appendFile(trace, `container ${image} ${id}\n`)
  const host = container.getHost()
  const port = container.getPort()
  let stopped: Promise<unknown> | undefined
  return {
    kind: 'container',
    image,
    id,
    host,
    port,
    url: `redis://${host}:${port}`,
    async stop() {
      stopped ??= container.stop()
      await stopped
    },
  }
}

let containerProbe: Promise<string | undefined> | undefined

/** Undefined if containers of this image can be started, else the reason. Asked once a test process. */
function whyNoContainer(image: string): Promise<string | undefined> {
  containerProbe ??= probeContainers(image)
  return containerProbe
}

async function probeContainers(image: string): Promise<string | undefined> {
  // Its helper container, which would clean up after a killed test run, is one more image to pull.
  const { TESTCONTAINERS_RYUK_DISABLED = 'true' } = process.env
  Object.assign(process.env, { TESTCONTAINERS_RYUK_DISABLED })

  const { getContainerRuntimeClient, ImageName } = await import('testcontainers')
  let client: ContainerRuntimeClient
  try {
    client = await getContainerRuntimeClient()
  } catch (error) {
    return `no Docker engine answers (${messageOf(error)})`
  }
  try {
    await client.image.pull(ImageName.fromString(image)) // asks the registry only if it isn't here
    if (await client.image.exists(ImageName.fromString(image))) return undefined
    throw new Error('no such image')
  } catch (error) {
    const reason = `the Docker engine has no image ${image} and can't pull it (${messageOf(error).trim()})`
    process.stderr.write(
      `test/support/redis.ts: ${reason}: using a local redis-server. To test with a container: ` +
        'test/support/redis-image.sh owm-test-redis:local, and OWM_TEST_REDIS_IMAGE=owm-test-redis:local\n',
    )
    return reason
  }
}

class PortTaken extends Error {}

/** Not stopped yet: the test process may end without doing so (a failed hook, an uncaught error). */
const unstopped = new Set<LocalRedis>()

class LocalRedis implements RedisProcess {
  readonly kind = 'process'
  readonly host = '127.0.0.1'
  readonly port: number
  readonly directory: string
  readonly #args: readonly string[]
  readonly #sentinel: string | undefined
  #child: ChildProcess | undefined
  #output = ''
  #stopped = false

  constructor(port: number, directory: string, { args = [], sentinel }: RedisOptions) {
    this.port = port
    this.directory = directory
    this.#args = args
    this.#sentinel = sentinel
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('redis-server was never started')
    return pid
  }

  async start(): Promise<void> {
    const place = ['--bind', this.host, '--port', `${this.port}`, '--dir', this.directory]
    const file = join(this.directory, 'sentinel.conf')
    // It writes what it learns into that file: a restart keeps it.
    if (this.#sentinel !== undefined) await writeFile(file, this.#sentinel, { flag: 'wx' }).catch(() => undefined)
    const kind = this.#sentinel === undefined ? NOT_PERSISTENT : ['--sentinel']
    const child = spawn('redis-server', [...(this.#sentinel ? [file] : []), ...place, ...kind, ...this.#args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-4000)
      })
    }
    try {
      await once(child, 'spawn')
    } catch (cause) {
      throw new Error(`redis-server can't be started (${messageOf(cause)}). ${INSTALL}`, { cause })
    }
    this.#child = child
    if (unstopped.size === 0) process.on('exit', killUnstopped)
    unstopped.add(this)
    await this.#ready(child)
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const child = this.#child
    if (!child || hasEnded(child)) return
    const ended = once(child, 'exit')
    child.kill(signal)
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return
    await ended
  }

  async restart(): Promise<void> {
    if (this.#stopped) throw new Error('stop() has removed the data directory')
    await this.kill('SIGCONT') // a stopped process wouldn't see SIGTERM
    await this.kill('SIGTERM')
    await this.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.kill('SIGKILL')
    unstopped.delete(this)
    if (unstopped.size === 0) process.off('exit', killUnstopped)
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The last resort when the test process exits: synchronous. */
  killNow(): void {
    this.#child?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Until PING is answered by this very process: another one may have had the port all along. */
  async #ready(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      if (hasEnded(child)) {
        const Reason = this.#output.includes('Address already in use') ? PortTaken : Error
        throw new Reason(`redis-server ended while starting on port ${this.port}:\n${this.#output}`)
      }
      const answer = await ask(this.host, this.port)
      if (answer.startsWith('+PONG') && answer.includes(`\nprocess_id:${child.pid}\r`)) return
      if (answer.startsWith('-NOAUTH') && !hasEnded(child)) return
      if (Date.now() > deadline) {
        throw new Error(`redis-server on port ${this.port} doesn't answer PING (${answer}):\n${this.#output}`)
      }
      await delay(10)
    }
  }
}

function killUnstopped(): void {
  for (const server of unstopped) server.killNow()
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/**
 * Below the ports that systems hand out to outgoing connections: while a server is down, one of those
 * could get its port, and a client that reconnects all the time could even reach itself.
 */
function randomPort(): number {
  return randomInt(20_000, 30_000)
}

/** The raw answers to PING and INFO; empty when nothing listens. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, host, () => socket.write('PING\r\nINFO server\r\nQUIT\r\n'))
    socket
      .setEncoding('utf8')
      .setTimeout(1000, () => socket.destroy())
      .on('data', (text: string) => {
        answer += text
      })
      .on('error', () => socket.destroy())
      .on('close', () => resolve(answer))
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
