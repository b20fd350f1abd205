/** `owm outbox adopt`: whose an outbox is, where that has changed. */
import type { Loaded } from '../../config/load.js'
import { UsageError } from '../../errors/index.js'
import type { Done } from '../command.js'
import { openOutbox, type Surroundings } from '../compose.js'
import { type WaitFlags, waitMsOf } from '../flags.js'
import { ownerOf } from '../owner.js'

/** What `owm outbox adopt --json` prints. */
export interface AdoptResult {
  outbox: { path: string | null }
  /** A pipeline's name, or the path of a configuration or a folder; `before` is null where it was nobody's. */
  owner: { before: string | null; now: string | null }
}

export interface AdoptFlags extends WaitFlags {
  owner: boolean
}

export const nothingAdopted = (): AdoptResult => ({ outbox: { path: null }, owner: { before: null, now: null } })

/** Makes the outbox that of the configuration that was read. Throws UsageError where no flag says what to adopt. */
export async function adopt(
  flags: AdoptFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<AdoptResult>> {
  if (!flags.owner)
    throw new UsageError('What is to be adopted?', { hint: '--owner: the outbox, for this configuration.' })
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const now = await ownerOf(loaded, around.env)
  const outbox = await openOutbox(loaded, around, { waitMs, create: false, as: 'anybody' })
  try {
    const before = await outbox.adopt(now)
    const was = before === null ? "nobody's" : `that of ${before}`
    return {
      result: { outbox: { path: outbox.path }, owner: { before, now } },
      summary: [
        before === now
          ? `${outbox.path} is that of ${now} already`
          : `${outbox.path} is that of ${now} now; it was ${was}`,
      ],
    }
  } finally {
    await outbox.close()
  }
}
