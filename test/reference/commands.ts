/** The commands of a history: what an operator, a scheduler, a sink or a disk may do. */
import assert from 'node:assert/strict'
import type fc from 'fast-check'
import { vi } from 'vitest'
import { flush } from '../../src/pipeline/flush.js'
import { produce } from '../../src/pipeline/produce.js'
import { oneSlot, plainSettings } from '../../src/pipeline/slots/agenda.js'
import { type Claim, check, type Model, noteReadings } from './claims.js'
import { type Item, pagesOf, type SourceFault, validIn } from './list.js'
import type { Circumstances, System } from './system.js'

const slotOf = (number: number): string => `2026-11-23T1${number}:00:00Z`

export type Command = fc.AsyncCommand<Model, System>

/** A command with its words for the report. */
function command(
  name: string,
  given: unknown,
  run: (model: Model, real: System) => Promise<Claim>,
  isPossible: (model: Model) => boolean = () => true,
): Command {
  return {
    check: isPossible,
    toString: () => `${name}(${given === undefined ? '' : JSON.stringify(given)})`,
    async run(model, real) {
      vi.setSystemTime(Date.now() + 1_000)
      await check(model, real, await run(model, real))
    },
  }
}

const quiet: Claim = { clean: false }

export interface Producing extends Circumstances {
  slot: number
  deliver: boolean
  keepTasks: number
  pageSize: number
  sourceFault: SourceFault | undefined
}

export const producing = (given: Producing): Command =>
  command('produce', given, async (model, real) => {
    const slot = slotOf(given.slot)
    model.slots.add(slot)
    const { list } = model
    let { sourceFault } = given
    const ended = await real.run(given, (deps) =>
      produce(
        {
          ...plainSettings,
          agenda: oneSlot(slot, true),
          flush: given.deliver,
          keepTasks: given.keepTasks,
          keepRuns: 1_000,
        },
        {
          ...deps,
          source: {
            name: 'scripted',
            digest: `digest-${list.digest}`,
            open: async () => ({
              read(resume) {
                const fault = sourceFault
                sourceFault = undefined // breaks down once
                return pagesOf(list, given.pageSize, fault, resume)
              },
            }),
          },
        },
      ),
    )
    const clean = !ended.crashed && ended.errors.length === 0
    await noteReadings(model, real, clean)
    const had = model.stored.required.has(slot)
    if (clean) assert.ok(had, `${slot} was produced without an error, but never read`)
    return { clean: clean && given.deliver }
  })

export interface Flushing extends Circumstances {
  limit: number | undefined
}

export const flushing = (given: Flushing): Command =>
  command('flush', given, async (_, real) => {
    const ended = await real.run(given, (deps) => flush({ limit: given.limit ?? Number.POSITIVE_INFINITY }, deps))
    return { clean: !ended.crashed && ended.errors.length === 0 && given.limit === undefined }
  })

export const changing = (items: Item[], isNewDigest: boolean): Command =>
  command('changeList', { items, isNewDigest }, async (model) => {
    const { version, digest } = model.list
    model.list = { items, version: version + 1, digest: isNewDigest ? digest + 1 : digest }
    for (const place of validIn(items)) model.places.add(place)
    return quiet
  })

export const poisoning = (places: number[], refusesBatches: boolean): Command =>
  command('poison', { places, refusesBatches }, async (_, { server }) => {
    server.poison = new Set(places.map((place) => `L${place}`))
    server.refusesBatches = refusesBatches
    return quiet
  })

export const retrying = (): Command =>
  command('retryDead', undefined, async (_, real) => {
    const { dead } = real.before
    assert.equal((await real.outbox.deadLetters.retry({ run: '', seqs: undefined })).length, dead.length)
    assert.equal(await real.outbox.deadLetters.count(), 0)
    return quiet
  })

export const purging = (dead: boolean): Command =>
  command('purge', { dead }, async (model, real) => {
    const before = Date.now()
    const removed = await real.outbox.purge({ before, dead })
    const gone = real.before.dead.filter(({ diedAt }) => dead && diedAt < before) // the clock may have gone back since
    assert.equal(removed.dead, gone.length)
    model.stored = { ...model.stored, discarded: new Set([...model.stored.discarded, ...gone.map(({ id }) => id)]) }
    return quiet
  })

export const losing = (states: number): Command =>
  command('lose', { states }, async (_, { server }) => {
    if (server.canLose) server.lose(states)
    return quiet
  })

export const deleting = (): Command =>
  command('deleteTasks', undefined, async (_, { server }) => {
    if (server.kind === 'chain') server.deleteTasks() // a sink that knows a position alone couldn't notice
    return quiet
  })

export const waiting = (seconds: number): Command =>
  command('wait', { seconds }, async () => {
    vi.setSystemTime(Date.now() + seconds * 1_000) // back, too
    return quiet
  })

export const reopening = (): Command =>
  command('reopen', undefined, async (_, real) => {
    await real.reopen()
    return quiet
  })

export const copying = (): Command =>
  command('copy', undefined, async (model, real) => {
    real.copy()
    model.copy = model.stored
    return quiet
  })

export const restoring = (): Command =>
  command(
    'restore',
    undefined,
    async (model, real) => {
      assert.ok(model.copy)
      await real.restore()
      model.stored = model.copy
      model.restored = true
      for (const id of real.server.entries) model.mayRepeat.add(id)
      return quiet
    },
    (model) => model.copy !== undefined,
  )
