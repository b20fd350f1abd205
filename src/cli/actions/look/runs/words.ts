/** Runs in words. */
import { compact } from '../../../../lists.js'
import type { RunFacts } from '../../../../outbox/inspect/ledger/facts.js'
import { type RejectedFor, Rejects } from '../../../../pipeline/input/rejects.js'
import { shardFlag } from '../../../../tasks/shard.js'
import { count, plural, seconds, shortId } from '../../../format.js'

/** How long a run took, in milliseconds; null if unknown, for instance since some of it was sent again later. */
export interface Speed {
  durationMs: number | null
  /** From the start to the end of the source, including the time in which no owm was running. */
  readingMs: number | null
  /** From then until suspected duplicates were compared. */
  checkingMs: number | null
  /** From then until the sink had the rest; null if some of it was sent again later, or lost. */
  deliveringMs: number | null
  /** Locations read per second. */
  perSecond: number | null
}

export function speedOf(run: RunFacts, now: number): Speed {
  const { startedAt, readAt, storedAt, sentAgain, isBeingRead, read, state } = run
  const between = (from: string | null, to: string | null): number | null =>
    from === null || to === null ? null : Date.parse(to) - Date.parse(from)
  const isSentAgain = Object.values(sentAgain).some((tasks) => tasks > 0)
  // When a run was done is no longer known after a redelivery or a loss; a missed or discarded one never was.
  const doneAt = state === 'done' && !isSentAgain ? run.finishedAt : null
  const durationMs = isBeingRead === true ? now - Date.parse(startedAt) : between(startedAt, doneAt)
  const readingMs = between(startedAt, readAt)
  const ms = readingMs ?? durationMs
  return {
    durationMs,
    readingMs,
    checkingMs: between(readAt, storedAt),
    deliveringMs: between(storedAt, doneAt),
    perSecond: ms === null ? null : Math.round(read / Math.max(0.001, ms / 1000)),
  }
}

/**
 * A run that isn't read to its end, and that no process is reading, has failed or was interrupted; one that stored
 * nothing, and for which another one stands in, is covered.
 */
export function runStateInWords({
  state,
  isBeingRead,
  lastError,
  coveredBy,
}: Pick<RunFacts, 'state' | 'isBeingRead' | 'lastError'> & Partial<Pick<RunFacts, 'coveredBy'>>): string {
  if (coveredBy) return 'covered'
  if (isBeingRead !== false) return state
  return lastError === null ? 'interrupted' : 'failed'
}

/** `1,000 read = 3 rejected + 2 duplicates + 995 delivered`, without the zeros. */
export function sumInWords(run: RunFacts): string {
  const parts = [
    [run.rejected, 'rejected'],
    [run.duplicates, 'duplicates'],
    [run.notDue, 'not due'],
    [run.undecided, 'to be compared'],
    [run.notStored, 'not stored'],
    [run.delivered, 'delivered'],
    [run.pending, 'pending'],
    [run.dead, 'dead'],
    [run.discarded, 'discarded'],
    [run.lost, 'lost'],
  ] as const
  const shown = parts
    .filter(([tasks, name]) => tasks !== 0 || name === 'delivered')
    .map(([tasks, name]) => `${count(tasks)} ${name}`)
  const sum = `${count(run.read)} read ${run.isAccounted ? '=' : '≠'} ${shown.join(' + ')}`
  return run.isAccounted ? sum : `${sum}: this doesn't add up, which is a fault; report it`
}

/** `20 after a loss in the sink, or to another sink, 5 by a replay …`; empty if nothing was. */
export function againInWords({ sentAgain, replayedAt }: RunFacts): string {
  const { lost, replayed, retried } = sentAgain
  return compact(
    lost > 0 && `${count(lost)} after a loss in the sink, or to another sink`,
    replayed > 0 && `${count(replayed)} by a replay, last at ${replayedAt}`,
    retried > 0 && `${plural(retried, 'dead letter')} put back`,
  ).join(', ')
}

export const secondsOf = (ms: number | null): string => (ms === null ? '' : seconds(Math.max(0, ms)))

/** What to do about a run, with a command, or that there is nothing to do. */
export function nextStepOf(run: RunFacts, isSharded: boolean): string {
  const { runId, slot, state, isBeingRead, delivered, pending, dead, rejected, lastError, coveredBy } = run
  const id = shortId(runId)
  const flag = shardFlag(run.shard ?? '', isSharded)
  if (isBeingRead === true) return 'It is being read: wait for its end.'
  if (isBeingRead === false) return `\`owm produce --slot ${slot}${flag}\` reads on where it stopped.`
  if (state === 'read')
    return pending > 0
      ? `\`owm flush\` delivers what is pending.`
      : '`owm flush` writes the receipt of its slot, which ends it.'
  if (state === 'lost') return `\`owm outbox replay --run ${id}${flag}\` delivers once more what the sink has lost.`
  if (state === 'discarded')
    return `Somebody gave it up; \`owm produce --slot ${slot}${flag} --again\` serves its slot after all.`
  if (coveredBy !== null)
    return `Nothing: the run of ${coveredBy} stands in for it; \`owm produce --slot ${slot}${flag}\` serves it as well.`
  if (state === 'missed')
    return rejected > 0 || lastError !== null
      ? `Its source failed, or gave too little: correct that, then \`owm produce --slot ${slot}${flag}\`.`
      : 'Nothing: a later run stands for it.'
  if (dead > 0)
    return `\`owm outbox retry --run ${id}\` puts the dead letters back, \`owm outbox purge --dead\` gives them up.`
  if (rejected > 0)
    return `Correct the list; \`owm outbox inspect --state rejected --run ${id}\` shows each that was rejected.`
  return state === 'done' && delivered > 0
    ? `Nothing; \`owm verify --slot ${slot}\` asks the sink whether it still has all of it.`
    : 'Nothing.'
}

/** `Berlin (52.5, 13.4, id 7)` from a task's JSON; any other text unchanged. */
export function placeInWords(text: string): string {
  try {
    const { city, latitude_deg, longitude_deg, location_id }: Record<string, unknown> = JSON.parse(text)
    const id = location_id === undefined ? '' : `, id ${location_id}`
    return `${city} (${latitude_deg}, ${longitude_deg}${id})`
  } catch {
    return text
  }
}

/** Merges reasons that differ only in numbers and quoted values; the commonest first. */
export function grouped(
  reasons: readonly { reason: string; count: number; position: string; value: string }[],
): RejectedFor[] {
  const rejects = new Rejects()
  for (const reason of reasons) rejects.add(reason, undefined, reason.count)
  return rejects.commonest(Number.POSITIVE_INFINITY)
}
