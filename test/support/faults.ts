/**
 * What the fault tests share: a folder with a list of locations, a configuration
 * and an outbox; ways to end owm at a step; and the oracle's verdict on all of it.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { folderWith, type Ran, type Running, type RunOptions, root, startOwm, until } from './cli.js'
import { isLinux } from './conditions.js'
import type { SinkPlace } from './contents.js'
import {
  type Case,
  complaintsAtAnyMoment,
  complaintsWhenComplete,
  type Ledger,
  type LocationOptions,
  type Locations,
  writeLocations,
} from './oracle.js'

const run = promisify(execFile)

const crashModule = join(root, 'test', 'support', 'crash.mjs')
/** For `--import`: says on standard error which steps the process reaches. */
export const timelineModule = join(root, 'test', 'support', 'timeline.mjs')

/** The hours of one day: slot 0 is 2026-11-23T00:00:00Z. */
export const slotAt = (hour: number): string =>
  new Date(Date.UTC(2026, 10, 23, hour)).toISOString().replace('.000Z', 'Z')

export interface SceneOptions {
  /** Where the tasks go: a Redis' URL, or a file. */
  sink: 'jsonl' | { url: string; stream: string; [option: string]: unknown }
  locations?: LocationOptions & { file?: string }
  batchSize?: number
  outbox?: Record<string, unknown> & { path?: string }
  retry?: Record<string, unknown>
  /** Another owm than the built one: its `bin/run.js`. */
  script?: string
}

export interface Scene {
  readonly folder: string
  readonly outbox: string
  readonly locations: Locations
  readonly sink: SinkPlace
  readonly ledger: Ledger
  /** Slots that the test asked for; their tasks must all be there in the end. */
  readonly slots: Map<string, Locations>
  start(args: readonly string[], options?: RunOptions): Running
  owm(args: readonly string[], options?: RunOptions): Promise<Ran>
  /** `owm produce` of slot number `hour`. */
  produce(hour: number, args?: readonly string[], options?: RunOptions): Promise<Ran>
  /** Runs owm until SIGKILL ends it at a step such as `batch:answered:3`; fails where it lives. */
  crash(at: string, args: readonly string[], options?: RunOptions): Promise<Ran>
  /** Runs owm until it stops itself at a step; it holds whatever it holds there. */
  stopAt(at: string, args: readonly string[], options?: RunOptions): Promise<Running>
  /** Fails unless what must always hold does. */
  holds(): Promise<void>
  /** Fails unless all slots that were asked for are there as promised. */
  complete(): Promise<void>
  case(more?: readonly Ledger[]): Case
}

export async function faultScene({
  sink: given,
  locations: list,
  batchSize = 50,
  outbox: outboxOptions,
  retry,
  script,
}: SceneOptions): Promise<Scene> {
  const sinkOptions =
    given === 'jsonl'
      ? { use: 'jsonl', path: './tasks.jsonl' }
      : { use: 'redis-stream', maxLength: 10_000_000, ...given }
  const { file = 'locations.csv', ...how } = list ?? { rows: 1_500 }
  const { path: outboxPath = './outbox.db' } = outboxOptions ?? {}
  const folder = await folderWith({
    source: { use: 'static-list', file: `./${file}` },
    sink: sinkOptions,
    outbox: { ...outboxOptions, path: outboxPath },
    flush: { batchSize },
    retry: { attempts: 3, initialDelayMs: 20, maxDelayMs: 100, ...retry },
  })
  const locations = await writeLocations(join(folder, file), how)
  const outbox = resolve(folder, outboxPath)
  const slots = new Map<string, Locations>()
  const ledger: Ledger = { outbox, slots, forgotten: new Set() }
  const sink: SinkPlace =
    given === 'jsonl'
      ? { kind: 'jsonl', path: join(folder, 'tasks.jsonl') }
      : { kind: 'redis-stream', url: given.url, stream: given.stream }

  const start = (args: readonly string[], options: RunOptions = {}): Running => {
    const [, slot] = args[0] === 'produce' ? (/--slot=(\S+)/.exec(args.join(' ')) ?? []) : []
    if (slot !== undefined) slots.set(slot, locations)
    return startOwm(args, { cwd: folder, ...(script === undefined ? {} : { script }), ...options })
  }
  const preloaded = (at: string, signal: string, options: RunOptions): RunOptions => ({
    ...options,
    node: ['--import', crashModule, ...(options.node ?? [])],
    env: { ...options.env, OWM_CRASH_AT: at, OWM_CRASH_SIGNAL: signal },
  })
  const theCase = (more: readonly Ledger[] = []): Case => ({
    sink,
    guarantee: sink.kind === 'jsonl' ? 'at-least-once' : 'exactly-once',
    ledgers: [ledger, ...more],
  })

  return {
    folder,
    outbox,
    locations,
    sink,
    ledger,
    slots,
    start,
    owm: (args, options) => start(args, options).ended,
    produce: (hour, args = [], options = {}) => start([...produceArgs(hour), ...args], options).ended,
    async crash(at, args, options = {}) {
      const ran = await start(args, preloaded(at, 'SIGKILL', options)).ended
      expect(ran, `SIGKILL at ${at}: ${ran.stdout}${ran.stderr}`).toMatchObject({
        signal: 'SIGKILL',
        code: null,
        stdout: '',
      })
      return ran
    },
    async stopAt(at, args, options = {}) {
      const running = start(args, preloaded(at, 'SIGSTOP', options))
      await untilStopped(running)
      return running
    },
    async holds() {
      expect(await complaintsAtAnyMoment(theCase())).toEqual([])
    },
    async complete() {
      expect(await complaintsWhenComplete(theCase())).toEqual([])
    },
    case: theCase,
  }
}

export const produceArgs = (hour: number): string[] => ['produce', `--slot=${slotAt(hour)}`]

export function pidOf({ child }: Running): number {
  if (child.pid === undefined) throw new Error('owm was not started')
  return child.pid
}

/** Resolves once SIGSTOP has stopped the process; throws where it ended instead. */
export async function untilStopped(running: Running): Promise<void> {
  const pid = pidOf(running)
  await until(async () => {
    if (running.child.exitCode !== null || running.child.signalCode !== null) {
      const { code, signal, stderr } = await running.ended
      throw new Error(`owm ended (${code ?? signal}) before it stopped: ${stderr}`)
    }
    return (await stateOf(pid)) === 'T'
  })
}

/** Resolves once the process has written this to standard error; throws where it ended without. */
export async function untilSaid(running: Running, text: string): Promise<void> {
  let said = ''
  running.child.stderr?.on('data', (more) => {
    said += String(more)
  })
  await until(() => said.includes(text) || running.child.exitCode !== null || running.child.signalCode !== null)
  if (!said.includes(text)) throw new Error(`owm ended without "${text}": ${said}`)
}

/** R, S, D, T (stopped), Z …: what the system says about a process; '' where there is none. */
export async function stateOf(pid: number): Promise<string> {
  if (isLinux) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    return stat.slice(stat.lastIndexOf(')') + 2).charAt(0)
  }
  const { stdout } = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return stdout.trim().charAt(0)
}

/** Ran to its end and did all there was to do. */
export function expectGood(ran: Ran): void {
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ code: 0, signal: null })
}

/** Random numbers from a printed seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
