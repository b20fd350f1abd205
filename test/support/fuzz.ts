/**
 * Hostile input, made of grammar, mutations and noise. Whatever it holds, owm ends in a documented exit code, says so
 * without a stack trace, and accounts for every record.
 *
 * Most runs are in this process, against the same functions that the commands call; some are the built command line,
 * for what only a process shows.
 *
 * OWM_TEST_FUZZ_RUNS=5000   runs a property (12 in `npm test`); a twelfth of it through processes
 * OWM_TEST_SEED=N           repeats a run's choices (the seed is printed)
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc, { type Arbitrary } from 'fast-check'
import { afterAll, beforeAll, expect } from 'vitest'
import { exitCodes, OwmError } from '../../src/errors/index.js'
import type { Ran } from './cli.js'
import { isLong } from './conditions.js'

// What decides over a change takes the same way each time; the long form looks for new ones.
export const seed = Number(process.env['OWM_TEST_SEED'] ?? (isLong ? Math.floor(Math.random() * 2 ** 31) : 20_261_123))
export const runs = Number(process.env['OWM_TEST_FUZZ_RUNS'] ?? 12)
export const processes = Math.ceil(runs / 12)
/** Milliseconds that one run may take: what takes longer hangs. */
export const patience = 20_000
export const documented: readonly (number | null)[] = [
  exitCodes.ok,
  exitCodes.usage,
  exitCodes.inputRejected,
  exitCodes.outbox,
  exitCodes.notDelivered,
  exitCodes.configuration,
]
export const secret = 'tr0ub4dor-and-a-half'

export let home: string
let rounds = 0

beforeAll(async () => {
  process.stderr.write(`fuzz: OWM_TEST_SEED=${seed} OWM_TEST_FUZZ_RUNS=${runs}\n`)
  home = await mkdtemp(join(tmpdir(), 'owm-fuzz-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

/** Runs `check` on many inputs, each with a folder of its own. */
export async function always<Input>(
  input: Arbitrary<Input>,
  numRuns: number,
  check: (input: Input, folder: string) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(input, async (given) => {
    const folder = join(home, String(++rounds))
    await mkdir(folder)
    try {
      await check(given, folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
  await fc.assert(property, {
    seed,
    numRuns,
    timeout: patience * 3,
    interruptAfterTimeLimit: 60_000 + numRuns * 5_000,
    markInterruptAsFailure: true,
  })
}

export const timeout = 120_000 + runs * 10_000

// --- what holds for every end ---

/** The error must be one of owm's own, for an operator. */
export function expectOwn(thrown: unknown, codes: readonly number[]): void {
  if (!(thrown instanceof OwmError)) throw thrown
  expect(codes).toContain(thrown.exitCode)
  expect(thrown.message + (thrown.hint ?? '')).not.toMatch(/^\s+at /m)
}

export function expectGoodEnd(ran: Ran, isJson: boolean): void {
  const said = `${ran.code ?? ran.signal}: ${ran.stdout.slice(0, 2000)}${ran.stderr.slice(0, 2000)}`
  expect(ran.signal, said).toBeNull()
  expect(documented, said).toContain(ran.code)
  for (const text of [ran.stdout, ran.stderr]) {
    expect(text, said).not.toMatch(/^\s+at .*:\d+/m)
    expect(text, said).not.toMatch(/INTERNAL|a fault of owm itself/)
    expect(text, said).not.toContain(secret)
  }
  if (!isJson) return
  const json: unknown = JSON.parse(ran.stdout)
  expect(typeof json, said).toBe('object')
  if (ran.code === 0) expect(json).not.toHaveProperty('error')
  else expect(json).toHaveProperty('error.code')
}

export type Change = { at: number; kind: 'flip' | 'cut' | 'insert' | 'end' | 'repeat'; bytes: Uint8Array }

export const change: Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('flip', 'flip', 'cut', 'insert', 'insert', 'end', 'repeat'),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc
      .constantFrom(
        '\u0000',
        '"',
        '""',
        '\n',
        '\r',
        '\r\n',
        ',',
        '\\',
        '{',
        '}',
        '[',
        ']',
        '\ufeff',
        '\u2028',
        '\ufffd',
        '\\ud800',
        ' ',
        '#',
        "'",
      )
      .map((text) => Buffer.from(text)),
    fc.constantFrom([0xff, 0xfe], [0xed, 0xa0, 0x80], [0xe9], [0xf0, 0x9f]).map((bytes) => Uint8Array.from(bytes)),
  ),
})

/** The same bytes with some of them changed; unchanged in about half of the cases. */
export function mutated(bytes: Buffer, most: number): Arbitrary<Buffer> {
  return fc.oneof(
    fc.constant(bytes),
    fc.array(change, { minLength: 1, maxLength: most }).map((changes) => changes.reduce(changed, bytes)),
  )
}

export function changed(bytes: Buffer, { at, kind, bytes: more }: Change): Buffer {
  const place = Math.floor(at * bytes.length)
  const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place)]
  if (kind === 'insert') return Buffer.concat([before, more, behind])
  if (kind === 'cut') return Buffer.concat([before, behind.subarray(more.length)])
  if (kind === 'end') return before
  if (kind === 'repeat') return Buffer.concat([bytes, behind])
  return Buffer.concat([before, more.subarray(0, behind.length), behind.subarray(more.length)])
}
