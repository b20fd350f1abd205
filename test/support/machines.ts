/** Machines that serve one pipeline, each with an outbox of its own: starts in this process, at whatever time. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { nothingVerified, verify } from '../../src/cli/actions/look/verify/verify.js'
import { nothingProduced, produce } from '../../src/cli/actions/produce/produce.js'
import { backfill, nothingBackfilled } from '../../src/cli/actions/schedule/backfill.js'
import type { Done } from '../../src/cli/command.js'
import type { Surroundings } from '../../src/cli/compose.js'
import { exitCodeOf, worst } from '../../src/cli/report.js'
import { loadConfig } from '../../src/config/load.js'
import { isOwmError, toError } from '../../src/errors/index.js'
import { folderWith } from './cli.js'
import { settings } from './scheduled.js'

export const hour = (number: number): string => `2026-11-23T${String(number).padStart(2, '0')}:00:00Z`

/** A start on a machine, five minutes behind an hour. */
interface On {
  readonly machine: number
  readonly at: number
  readonly shard?: string | undefined
  /** As Kubernetes tells it to a pod of an Indexed Job. */
  readonly index?: string
}

interface Ended<Result> {
  readonly code: number
  readonly result: Result
  readonly error: { message: string; hint: string | undefined } | undefined
  readonly warnings: readonly string[]
}

/** 30 locations: both shares of two have some, and all of three. */
export class Machines {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async with(schedule: Parameters<typeof settings>[0], more: { shards?: number } = {}): Promise<Machines> {
    const source = { use: 'simulated-db', count: 30, ...more }
    return new Machines(await folderWith(settings(schedule, { source })))
  }

  produce(on: On, slot?: string, more: { noFlush?: boolean } = {}) {
    const all = { slot, wait: false, strict: false, again: false, force: false, 'dry-run': false }
    const flags = { ...all, 'no-flush': more.noFlush ?? false }
    return this.#do(on, nothingProduced(), (result, load, around) => produce(result, flags, load, around))
  }

  backfill(on: On, from: number, to: number) {
    const range = { from: hour(from), to: hour(to), order: 'oldest' as const }
    const flags = { ...range, wait: false, strict: false, force: false, 'dry-run': false }
    return this.#do(on, nothingBackfilled(), (result, load, around) => backfill(result, flags, load, around))
  }

  verify(on: On, slot?: string) {
    const flags = { slot, source: false, limit: 10 }
    return this.#do(on, nothingVerified(), (result, load, around) => verify(result, flags, load, around))
  }

  async #do<Result>(
    { machine, at, shard, index }: On,
    result: Result,
    action: (result: Result, load: () => ReturnType<typeof loadConfig>, around: Surroundings) => Promise<Done<Result>>,
  ): Promise<Ended<Result>> {
    vi.setSystemTime(Date.parse(hour(at)) + 5 * 60_000)
    const warnings: string[] = []
    const env = index === undefined ? {} : { JOB_COMPLETION_INDEX: index }
    const silent = (): void => undefined
    const warn = (_: object, text: string): unknown => text.includes("won't last") || warnings.push(text)
    const around: Surroundings = {
      command: 'owm',
      signal: new AbortController().signal,
      trustFolder: false,
      env,
      isTerminal: false,
      now: Date.now,
      logger: async () => ({ debug: silent, info: silent, error: silent, warn }),
      note: silent,
      onProgress: silent,
      leaveStandardOutput: silent,
      received: () => undefined,
      about: silent,
    }
    const outbox = join(this.#folder, `${machine}.db`)
    const load = () => loadConfig({ config: join(this.#folder, '.owmrc.json'), outbox, shard }, env, this.#folder)
    const error = await action(result, load, around).then(
      ({ errors = [] }) => worst(errors),
      (thrown: unknown) => toError(thrown),
    )
    const told = error && { message: error.message, hint: isOwmError(error) ? error.hint : undefined }
    return { code: error ? exitCodeOf(error) : 0, result, error: told, warnings }
  }

  /** How many tasks the sink has, each once. */
  async tasks(): Promise<number> {
    const lines = (await readFile(join(this.#folder, 'tasks.jsonl'), 'utf8')).split('\n').filter(Boolean)
    const ids = lines.map((line) => JSON.parse(line).task_id)
    expect(new Set(ids).size).toBe(ids.length)
    return ids.length
  }
}
