/** `owm outbox adopt`: sets the owner of an outbox, and the sink that it is delivered to. */
import type { Loaded } from '../../../config/load.js'
import { UsageError } from '../../../errors/index.js'
import type { From, Outbox } from '../../../outbox/outbox.js'
import { Contact } from '../../../pipeline/contact.js'
import type { Done } from '../../command.js'
import { openOutbox, resilienceOf, type Surroundings, sinkOf } from '../../compose.js'
import { type WaitFlags, waitMsOf } from '../../flags.js'
import { plural } from '../../format.js'
import { ownerOf } from '../../owner.js'

/** What `owm outbox adopt --json` prints. */
export interface AdoptResult {
  outbox: { path: string | null }
  /** A pipeline's name, or the path of a configuration or a folder; `before` is null if there was no owner. */
  owner: { before: string | null; now: string | null }
  /** With --sink: the sink's address without credentials, and the tasks that it will get. */
  sink?: { address: string; pending: number }
}

export const froms = ['pending', 'open-runs', 'history'] as const satisfies readonly From[]

export interface AdoptFlags extends WaitFlags {
  owner: boolean
  sink: boolean
  from?: From | undefined
}

export const nothingAdopted = (): AdoptResult => ({
  outbox: { path: null },
  owner: { before: null, now: null },
})

/** Throws UsageError if no flag says what to adopt. */
export async function adopt(
  flags: AdoptFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<AdoptResult>> {
  mustNameOne(flags)
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const as = flags.owner ? 'anybody' : 'owner'
  const outbox = await openOutbox(loaded, around, { waitMs, create: false, as })
  try {
    const owner = await adoptOwner(outbox, await ownerOf(loaded, around.env), flags.owner)
    const sink = flags.from ? await adoptSink(outbox, loaded, around, flags.from) : undefined
    return {
      result: { outbox: { path: outbox.path }, owner: owner.result, ...(sink ? { sink: sink.result } : {}) },
      summary: [...owner.summary, ...(sink?.summary ?? [])],
    }
  } finally {
    await outbox.close()
  }
}

/** Throws UsageError. */
function mustNameOne({ owner, sink, from }: AdoptFlags): void {
  if (!owner && !sink)
    throw new UsageError('What is to be adopted?', {
      hint: '--owner: the outbox, for this configuration. --sink --from …: the sink, for the outbox.',
    })
  if (!sink === (from === undefined)) return
  throw new UsageError(sink ? 'Which tasks should the sink get?' : '--from says what a sink gets.', {
    hint: '--sink --from pending, open-runs or history.',
  })
}

async function adoptOwner(outbox: Outbox, now: string, isAdopted: boolean): Promise<Done<AdoptResult['owner']>> {
  if (!isAdopted) return { result: { before: now, now }, summary: [] }
  const before = await outbox.adopt(now)
  const was = before === null ? "nobody's" : `that of ${before}`
  const text = before === now ? `is that of ${now} already` : `is that of ${now} now; it was ${was}`
  return { result: { before, now }, summary: [`${outbox.path} ${text}`] }
}

async function adoptSink(
  outbox: Outbox,
  loaded: Loaded,
  around: Surroundings,
  from: From,
): Promise<Done<NonNullable<AdoptResult['sink']>>> {
  const { signal } = around
  const [sink, resilience] = [await sinkOf(loaded, around), await resilienceOf(loaded, around, 'sink', outbox)]
  const log = await around.logger()
  const before = outbox.sinks.present?.id
  const contact = new Contact({ sink, outbox, resilience, pipeline: '', isSharded: false, log, signal, adopt: from })
  const address = await contact
    .make()
    .then(() => contact.address())
    .finally(async () => {
      await contact.close()
      await outbox.breakers.save('sink', resilience.save())
    })
  const [{ pending }, isPresent] = [outbox, outbox.sinks.present?.id === before]
  const tasks = `${plural(pending, 'task')} pending`
  return {
    result: { address, pending },
    summary: [
      isPresent
        ? `${outbox.path} is delivered to this sink already: ${tasks}`
        : `${outbox.path} is delivered to this sink from now on: ${tasks}; \`owm flush\` delivers them`,
    ],
  }
}
