/** What the tests of failovers and reshardings share: runs that are killed at random, and a ledger of what was lost. */
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import { folderWith, owm, root, startOwm } from '../../support/cli.js'
import { randomFrom } from '../../support/faults.js'

export const batchSize = 500

const seed = Number(process.env['OWM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
export const random = randomFrom(seed)
export const say = (line: string): void => void process.stderr.write(`${line}\n`)
say(`OWM_TEST_SEED=${seed}`)

/** A folder with a configuration of runs of `count` locations, which have the patience that failovers take. */
export const folderFor = (sink: object, count: number): Promise<string> =>
  folderWith({
    // A source that takes its time: what is done to Redis falls into the run.
    source: { use: 'simulated-db', count, pageSize: 500, latencyMs: 40 },
    sink: { use: 'redis-stream', maxLength: 10_000_000, ...sink },
    outbox: { path: './outbox.db' },
    flush: { batchSize },
    retry: { attempts: 100, initialDelayMs: 50, maxDelayMs: 500 },
    breaker: { failures: 100_000 },
  })

/** Entry id -> the location's number: all that a stream holds. */
export async function entriesOf(redis: Redis, stream: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (let from = '-'; ; ) {
    const page = await redis.xrange(stream, from, '+', 'COUNT', 5_000)
    for (const [id, [, data = '{}']] of page) {
      found.set(id, Number(JSON.parse(data).location_id))
      from = `(${id}`
    }
    if (page.length < 5_000) return found
  }
}

/** Every location of a run is there, once. */
export function expectOnce(entries: ReadonlyMap<string, number>, count: number): void {
  const places = new Set(entries.values())
  expect([entries.size, places.size, places.has(1), places.has(count)]).toEqual([count, count, true, true])
}

export interface Loss {
  /** Entries that the old master held. */
  had: number
  /** Those that the new one never had: a task that is sent again gets another entry. */
  lacked: number
  /** Of these, at least so many were confirmed to owm, which has two batches under way at most. */
  confirmed: number
}

export function lossOf(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Loss {
  const lacked = [...before.keys()].filter((id) => !after.has(id)).length
  return { had: before.size, lacked, confirmed: Math.max(0, lacked - 2 * batchSize) }
}

const steps = ['batch:sent', 'batch:answered', 'batch:acknowledged', 'intake:persisted', 'sink:attached', 'sink:placed']

/** Runs a command until it ends with 0, and kills it at random steps on the way. Gives the number of kills. */
export async function restlessly(args: readonly string[], cwd: string, batches: number): Promise<number> {
  for (let kills = 0; ; ) {
    const step = steps[Math.floor(random() * steps.length)] ?? 'batch:sent'
    const nth = step.startsWith('sink') ? 1 : 1 + Math.floor(random() * batches)
    const isKilled = random() < 0.7
    const ran = await startOwm(args, {
      cwd,
      timeout: 180_000,
      ...(isKilled && {
        node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
        env: { OWM_CRASH_AT: `${step}:${nth}`, OWM_CRASH_SIGNAL: 'SIGKILL' },
      }),
    }).ended
    if (ran.code === 0) return kills
    if (isKilled && ran.signal === 'SIGKILL') kills++
    else expect(ran.code, ran.stderr).toBe(75)
  }
}

/** What a master lost behind a run that had ended is found by the next start. */
export async function expectMended(cwd: string): Promise<void> {
  const ran = await owm(['flush'], { cwd, timeout: 180_000 })
  expect(ran.code, ran.stderr).toBe(0)
}
