/** What a source must do if something fails: throw, and never pass off a part as the whole. */
import assert from 'node:assert/strict'
import type { ZodType } from 'zod'
import { TransientError } from '../../errors/index.js'
import type { Source } from '../../plugin.js'
import {
  type Attempt,
  type Check,
  type Conditions,
  type Fault,
  graceSeconds,
  type SourceUnderTest,
  withFault,
  withinSeconds,
  withSource,
} from './check.js'
import { assertRest, isRejected, nothingRead, type ReadSoFar, readAll, readInto } from './reading.js'

export function failureChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  return [
    {
      name: 'is not changed by a call that is made twice',
      async run() {
        const twice: Attempt = async (operation) => {
          await operation()
          return operation()
        }
        assert.deepEqual((await readAll(source, twice)).keys, (await readAll(source)).keys)
      },
    },
    {
      name: 'throws when a call fails for good, and goes on from there next time',
      async run() {
        let calls = 0
        const counting: Attempt = (operation) => {
          calls++
          return operation()
        }
        const whole = await readAll(source, counting)
        // None if it makes no calls under `attempt`.
        for (const failing of spread(calls)) await assertCallThrows(source, failing, whole)
      },
    },
    ...(source.faults ?? []).map((fault) => faultCheck(source, fault)),
    {
      name: 'ends soon when it is aborted, between batches or while a read is under way, with an error',
      async run() {
        for (const abortsAfter of [0, 1])
          await withinSeconds(graceSeconds, assertEnds(source, abortsAfter), 'it went on after it was aborted')
      },
    },
  ]
}

/** At most five of the numbers from 1 to `last`, including both. */
function spread(last: number): number[] {
  const many = Math.min(last, 5)
  return Array.from({ length: many }, (_, index) => 1 + Math.round((index * (last - 1)) / Math.max(1, many - 1)))
}

/** Of two classes, since a source must not depend on the class of an error. */
const errors = [
  () => new TransientError('this call fails, by the conformance suite'),
  () => new Error('this call fails, by the conformance suite'),
] as const

/** Makes every call from `failing` on fail: the source must throw, and give the rest from its last checkpoint. */
async function assertCallThrows<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  failing: number,
  whole: ReadSoFar,
): Promise<void> {
  let call = 0
  const attempt: Attempt = async (operation) => {
    if (++call >= failing) throw (errors[(failing - 1) % 2] ?? errors[0])()
    return operation()
  }
  const given = nothingRead()
  const failure = await failureOf(source, given, { attempt })
  const when = `call ${failing} failed`
  if (failure === undefined) assertWhole(given, whole, when)
  await assertRest(source, given, whole, `after ${when}`)
}

/** For failures that the author of a plugin can cause, but the suite can't. */
function faultCheck<Options extends ZodType>(source: SourceUnderTest<Options>, fault: Fault): Check {
  return {
    name: `throws, or gives all of its locations, where this happens: ${fault.name}`,
    async run() {
      const whole = await readAll(source)
      for (const begin of [undefined, ...new Set([0, 1, Math.ceil(whole.resumes.length / 2)])]) {
        const given = nothingRead()
        const when = `${fault.name} ${begin === undefined ? 'from the beginning' : `after ${begin} batches`}`
        const failure = await withFault(fault, begin === undefined, (start) =>
          failureOf(source, given, {}, async (batches) => {
            if (batches === begin) await start()
          }),
        )
        if (failure === undefined) {
          assertWhole(given, whole, when)
          const isUnchanged = given.keys.every((key, index) => key === whole.keys[index])
          assert.ok(begin !== undefined || !isUnchanged, `${when}, and it gave everything: does the fault begin?`)
        } else await assertRest(source, given, whole, `after ${when}`)
      }
    },
  }
}

/** For a read that ended without an error: each location must be there, or be rejected in its place. */
function assertWhole({ keys }: ReadSoFar, whole: ReadSoFar, when: string): void {
  const read = `${keys.length} of ${whole.keys.length} locations`
  assert.equal(keys.length, whole.keys.length, `${when}, and it ended as if it were complete after ${read}`)
  const wrong = keys.findIndex((key, index) => key !== whole.keys[index] && !isRejected(key))
  assert.equal(wrong, -1, `${when}, and it gave another location ${wrong + 1}: ${keys[wrong]}`)
}

/** Reads until the source ends or throws; returns the error. An error of a later `close` doesn't count. */
async function failureOf<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  given: ReadSoFar,
  conditions: Conditions,
  onBatch: (batches: number) => Promise<void> = async () => undefined,
): Promise<unknown> {
  let [isOver, failure]: [boolean, unknown] = [false, undefined]
  const use = async (open: Source): Promise<void> => {
    try {
      await onBatch(0)
      await readInto(given, open, source.count, onBatch)
    } catch (error) {
      failure = error
    }
    isOver = true
  }
  await withSource(source, use, conditions).catch((error: unknown) => {
    if (!isOver) failure = error
  })
  if (failure instanceof assert.AssertionError) throw failure
  return failure
}

/** Aborts during the read of the batch after the first `abortsAfter`: the source must throw, or give the rest. */
async function assertEnds<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  abortsAfter: number,
): Promise<void> {
  const abort = new AbortController()
  const use = async (_: Source, bare: Source): Promise<void> => {
    const reading = bare.read(undefined)[Symbol.asyncIterator]()
    let count = 0
    try {
      for (let batches = 0; ; batches++) {
        const next = reading.next()
        if (batches === abortsAfter) abort.abort()
        const result = await next
        if (result.done) break
        count += result.value.locations.length
        assert.ok(batches < source.count + 1_000, 'does it ever end?')
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      assert.ok(abort.signal.aborted, `it threw before it was aborted: ${error}`)
      return
    }
    const read = `${count} of ${source.count} locations`
    assert.equal(count, source.count, `it was aborted, and ended as if it were complete after ${read}: let it throw`)
  }
  await withSource(source, use, { signal: abort.signal })
}
