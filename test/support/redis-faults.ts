/** What the tests of Redis' faults expect of a run: it fails and is repaired, survives the fault, or is beyond help. */
import { expect } from 'vitest'
import { expectAccounted, expectAllOnce, retriesIn, type Scene, slot, type Timed } from './redis-scene.js'

export const produce = ['produce', '--slot', slot, '--log-level', 'debug']
/** What a noisy machine may need to start and end a process. */
export const startUp = 20_000

export interface Produced {
  sink: { delivered: number; deduplicated: number }
  outbox: { pending: number; dead: number }
}

/** The longest that one call may take under the scenes' retries: attempts and the waits between them. */
export const budget = (attemptMs: number, attempts = 3, waitMs = 100): number =>
  attempts * attemptMs + (attempts - 1) * waitMs + startUp

/** Says in words what is wrong and what to do next, and nothing that only a programmer reads. */
export function expectHelp(ran: Timed, cause: RegExp, nextStep: RegExp): void {
  const lines = ran.stderr.split('\n').filter((line) => line !== '')
  // Of all lines of owm's the error is the one with a next step below it.
  const at = lines.findIndex((line, index) => line.startsWith('owm: ') && /^ {5}\S/.test(lines[index + 1] ?? ''))
  expect(lines[at], ran.stderr).toMatch(cause)
  expect(lines[at + 1], ran.stderr).toMatch(nextStep)
}

/** The fault outlasts the retries: 75, all tasks safe; then it's repaired, and `flush` brings the rest. */
export async function expectTransient(
  scene: Scene,
  fault: { cause: RegExp; nextStep: RegExp; within: number; repair: () => Promise<unknown> },
  flags: readonly string[] = [],
): Promise<void> {
  const ran = await scene.owm([...produce, ...flags])
  expect(ran.code, ran.stderr).toBe(75)
  expect(retriesIn(ran)).toBe(2)
  expect(ran.ms).toBeLessThan(fault.within)
  expectHelp(ran, fault.cause, fault.nextStep)
  await fault.repair()
  scene.proxy.repair()
  await scene.admin.ping()
  const { pending } = await expectAccounted(scene)
  expect(pending).toBeGreaterThan(0)
  await expectFlushed(scene)
}

export async function expectFlushed(scene: Scene): Promise<void> {
  const { code, json, stderr } = await scene.owmJson<Produced>(['flush'])
  expect({ code, pending: json.outbox.pending, dead: json.outbox.dead }, stderr).toEqual({
    code: 0,
    pending: 0,
    dead: 0,
  })
  await expectAllOnce(scene)
}

/**
 * The fault passes within the retries: 0, and the counters say what the stream says. Two batches may be under way
 * when it comes: what it cuts off is one of them, or both.
 */
export async function expectRidden(scene: Scene, ...deduplicated: number[]): Promise<void> {
  const { code, json, stderr } = await scene.owmJson<Produced>(produce)
  expect(code, stderr).toBe(0)
  await expectAllOnce(scene)
  expect(json.outbox).toMatchObject({ pending: 0, dead: 0 })
  expect(deduplicated).toContain(json.sink.deduplicated)
  expect(json.sink.delivered).toBe(scene.count - json.sink.deduplicated)
}

/** A retry can't help: 78 at once, nothing sent, all tasks safe; then it's set right, and `flush` brings them. */
export async function expectConfiguration(
  scene: Scene,
  wrong: readonly string[],
  { cause, nextStep }: { cause: RegExp; nextStep: RegExp },
  repair: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const ran = await scene.owm([...produce, ...wrong])
  expect(ran.code, ran.stderr).toBe(78)
  expect(retriesIn(ran)).toBe(0)
  expect(scene.proxy.counts.connections).toBe(1)
  expect(ran.ms).toBeLessThan(startUp)
  expectHelp(ran, cause, nextStep)
  expect(await scene.pending()).toHaveLength(scene.count)
  await repair()
  await expectFlushed(scene)
}

/** Nothing is there to connect to: 75 after the retries, then `flush` with the right address. */
export async function expectUnreachable(scene: Scene, url: string, cause: RegExp): Promise<void> {
  const ran = await scene.owm([...produce, '--set', `sink.url=${url}`])
  expect(ran.code, ran.stderr).toBe(75)
  expect(retriesIn(ran)).toBe(2)
  expect(ran.ms).toBeLessThan(budget(15_000))
  expectHelp(ran, cause, /address is right/)
  expect(scene.proxy.counts.connections).toBe(0)
  expect(await scene.pending()).toHaveLength(scene.count)
  await expectFlushed(scene)
}

/** The answer to PING, errors included. */
export const ping = (scene: Scene): Promise<string> => scene.admin.ping().catch((error: unknown) => String(error))

/** Enough for a server to start on a busy machine. */
export const patient = { attempts: 100, maxDelayMs: 500 }

export const keepsItsData = ['--appendonly', 'yes', '--appendfsync', 'always']
