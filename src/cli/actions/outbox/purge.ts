/** `owm outbox purge`: removes what has been delivered. */
import type { Loaded } from '../../../config/load.js'
import { OutboxError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { Purged } from '../../../outbox/retention.js'
import type { Done } from '../../command.js'
import { openOutbox, type Surroundings } from '../../compose.js'
import { durationOf, type WaitFlags, waitMsOf } from '../../flags.js'
import { megabytes, plural } from '../../format.js'
import { isConfirmed } from './ask.js'

/** What `owm outbox purge --json` prints. */
export interface PurgeResult {
  outbox: { path: string | null; pending: number; dead: number }
  /** With --dry-run: what would be removed. */
  removed: { delivered: number; dead: number }
}

interface PurgeFlags extends WaitFlags {
  'older-than': string
  dead: boolean
  'dry-run': boolean
  yes: boolean
}

export const nothingPurged = (): PurgeResult => ({
  outbox: { path: null, pending: 0, dead: 0 },
  removed: { delivered: 0, dead: 0 },
})

/** @param canAsk whether a person can be asked to confirm; without one it purges at once */
export async function purge(
  flags: PurgeFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
  canAsk: boolean,
): Promise<Done<PurgeResult>> {
  const what = { before: around.now() - durationOf('--older-than', flags['older-than']), dead: flags.dead }
  const waitMs = waitMsOf(flags)
  const outbox = await openOutbox(await configure(), around, { waitMs, create: false, as: 'tidier' })
  const { path } = outbox
  try {
    const isDry = flags['dry-run']
    const isAsked = canAsk && !flags.yes && !isDry
    const candidates = isDry || isAsked ? await outbox.purgeable(what) : nothing
    const question = `Remove ${tasksInWords(candidates)}? ${consequence(candidates)}`
    const mayPurge = !isAsked || (await isConfirmed(question, around.signal))
    const purged = isDry ? candidates : mayPurge ? await outbox.purge(what) : nothing
    const { notShrunk, ...removed } = purged
    const verb = isDry ? 'would be removed' : 'removed'
    return {
      result: { outbox: { path, pending: outbox.pending, dead: await outbox.deadLetters.count() }, removed },
      summary: compact(`${tasksInWords(removed)} ${verb}`, removed.delivered > 0 && consequence(removed)),
      errors: notShrunk === undefined ? [] : [notShrunkError(path, notShrunk)],
    }
  } finally {
    await outbox.close()
  }
}

const nothing: Purged = { delivered: 0, dead: 0, notShrunk: undefined }

const tasksInWords = ({ delivered, dead }: PurgeResult['removed']): string =>
  `${plural(delivered, 'delivered task')} and ${plural(dead, 'dead task')}`

const consequence = ({ delivered }: PurgeResult['removed']): string =>
  `Should the sink lose what it has, as in a failover, ${plural(delivered, 'task')} can't be delivered again.`

const notShrunkError = (path: string, bytes: number): OutboxError =>
  new OutboxError(`The outbox ${path} has not become smaller: the disk has no room to do it.`, {
    hint: `What is said above was removed, and its space is used again. To shrink takes ${megabytes(bytes)} free.`,
  })
