/** The outbox: its files and its disk, then what is in it. */
import { OutboxError, toError, withHint } from '../errors/index.js'
import { fileSystemOf, freeBytesAt, isWithoutInodes, whyUnsuited } from '../files/disk.js'
import { volatileAt } from '../files/volatile.js'
import { filesOf, logsWithoutOutbox } from '../outbox/inspect/files.js'
import { type Health, healthOf, type OpenRun } from '../outbox/inspect/health.js'
import { mustBeOwn } from '../outbox/owner.js'
import { NewerOutbox } from '../outbox/sqlite/trouble.js'
import type { Diagnosis } from '../plugin.js'
import { slotFlags } from '../tasks/shard.js'
import { age, count, megabytes, plural } from '../words.js'
import { fine, judged, unknown, wrong } from './verdict.js'

interface OutboxFacts {
  readonly path: string
  readonly owner: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** What the next start reads: a shard, as `0/3`, '' for the whole; undefined if that isn't known. */
  readonly shard: string | undefined
  /** How long a run may take without being suspicious, in milliseconds. */
  readonly patienceMs: number
  /** Milliseconds after which an open circuit lets one call through. */
  readonly resetAfterMs: number
  /** Whether the other side answers now. */
  readonly answering: { readonly source: boolean; readonly sink: boolean }
}

/** A log of this many bytes isn't owm's doing: it makes a checkpoint every 4 MiB. */
const hugeLog = 64 * 1024 * 1024

/** Bytes that a run writes besides its tasks: the log, and rewritten pages. */
const spareBytes = 10_000_000

/** Assumed while no task has been measured. */
const usualTaskBytes = 300

/** `health` is undefined if there is no outbox yet or it can't be read: `diagnoses` says which. */
export async function outboxState(path: string): Promise<{ diagnoses: Diagnosis[]; health: Health | undefined }> {
  try {
    const logs = await logsWithoutOutbox(path)
    if (logs.length > 0)
      return {
        diagnoses: [wrong('outbox-log', `${logs.join(' and ')}: there is no outbox beside it`)],
        health: undefined,
      }
    const health = await healthOf(path)
    const found = health ? `${path} can be read` : `there is nothing in ${path} yet`
    return { diagnoses: [fine('outbox-log', 'no log was left behind'), fine('outbox-readable', found)], health }
  } catch (error) {
    const code = error instanceof NewerOutbox ? 'outbox-schema' : 'outbox-readable'
    const found = error instanceof OutboxError ? withHint(error) : toError(error).message
    return { diagnoses: [wrong(code, found)], health: undefined }
  }
}

/** @param expected the tasks of a run, from the source's count of locations; 0 if unknown */
export async function diskChecks(path: string, health: Health | undefined, expected: number): Promise<Diagnosis[]> {
  const [type, volatile, free, files] = [
    await fileSystemOf(path),
    await volatileAt(path),
    await freeBytesAt(path),
    await filesOf(path),
  ]
  const why = whyUnsuited(type ?? '')
  const tasks = Math.max(expected, ...(health?.whole ?? []).map((run) => run.tasks))
  const needed = tasks * (health?.taskBytes ?? usualTaskBytes) + spareBytes
  const most = tasks === 0 ? 'a run needs' : `${plural(tasks, 'task')} of a run take`
  const room = `${megabytes(free)} free, and ${most} ${megabytes(needed)}${tasks === 0 ? ' besides its tasks' : ''}`
  return [
    type === undefined
      ? unknown('outbox-disk', 'this system does not tell which file system it is')
      : judged('outbox-disk', why && `${path} is on ${type}: ${why}`, `${path} is on ${type}`),
    judged('outbox-cleaned', volatile?.isEmptied ? `${path}: ${volatile.why}` : undefined, 'nobody clears its folder'),
    (await isWithoutInodes(path))
      ? wrong('outbox-space', 'its file system has no inodes left (`df -i`)')
      : judged('outbox-space', free < needed ? `only ${room}` : undefined, room),
    ...(files ? fileChecks(files) : []),
  ]
}

function fileChecks({ bytes, walBytes, journalMode }: NonNullable<Awaited<ReturnType<typeof filesOf>>>): Diagnosis[] {
  const size = `${megabytes(bytes)}, its log ${megabytes(walBytes)}`
  return [
    judged('outbox-journal', journalMode === 'wal' ? undefined : 'journal_mode is not wal', 'journal_mode is wal'),
    judged('outbox-size', walBytes > hugeLog ? size : undefined, size),
  ]
}

/** Checks of an existing outbox's content. */
export function contentChecks(health: Health, facts: OutboxFacts): Diagnosis[] {
  return [
    ownerCheck(health, facts),
    ...lockChecks(health, facts),
    circuitCheck(health, facts),
    judged('outbox-dead', health.dead === 0 ? undefined : `${plural(health.dead, 'dead letter')}`, 'no dead letters'),
  ]
}

function ownerCheck({ owner }: Health, facts: OutboxFacts): Diagnosis {
  try {
    mustBeOwn(facts.path, owner, facts.owner)
    return fine('outbox-owner', owner === null ? 'nobody has claimed it yet' : `it belongs to ${owner}`)
  } catch (error) {
    return wrong('outbox-owner', toError(error).message)
  }
}

/** The lock's holder, and the pending work, which is normal during a run and otherwise needs a start. */
function lockChecks(health: Health, { now, patienceMs, shard }: OutboxFacts): Diagnosis[] {
  const { holder, isHeld } = health
  const sinceMs = holder === undefined ? 0 : now - Date.parse(holder.since)
  const isLate = sinceMs > patienceMs
  const who = holder
    ? `${holder.command}, process ${holder.pid} on ${holder.host}, for ${age(sinceMs)}`
    : 'one that has only just begun'
  const isAtWork = isHeld !== false && !isLate
  return [
    isHeld === undefined
      ? unknown('outbox-lock', `held last by ${who}; this system does not tell whether it still is`)
      : judged(
          'outbox-lock',
          isHeld && isLate ? `held by ${who}` : undefined,
          isHeld ? `held by ${who}` : 'nobody holds it',
        ),
    pendingCheck(health, now, isAtWork ? patienceMs : 0),
    runsCheck(health, { now, shard }, isAtWork ? patienceMs : 0),
  ]
}

function pendingCheck({ pending, oldestPendingAt }: Health, now: number, mostMs: number): Diagnosis {
  if (pending === 0 || oldestPendingAt === null) return fine('outbox-pending', 'no task waits')
  const waits = now - Date.parse(oldestPendingAt)
  const found = `${plural(pending, 'task')} pending, the oldest for ${age(waits)}`
  return judged('outbox-pending', waits > mostMs ? found : undefined, found)
}

function runsCheck(
  { open, short }: Health,
  { now, shard }: Pick<OutboxFacts, 'now' | 'shard'>,
  mostMs: number,
): Diagnosis {
  const [oldest] = open
  if (oldest === undefined && short)
    return wrong('outbox-runs', `the newest run, of slot ${short.slot}, stored nothing: ${short.lastError}`)
  if (oldest === undefined) return fine('outbox-runs', 'every run is finished')
  const since = now - Date.parse(oldest.startedAt)
  const why = oldest.lastError === null ? '' : `: ${oldest.lastError}`
  const which = `the oldest of slot ${oldest.slot}, begun ${age(since)} ago${why}`
  const found = `${plural(open.length, 'run')} not finished, ${which}${ofOtherShards(open, shard)}`
  return judged('outbox-runs', since > mostMs ? found : undefined, found)
}

/** The command for runs that the next start can't read on, since it reads another shard. */
function ofOtherShards(open: readonly OpenRun[], shard: string | undefined): string {
  // A start that reads the whole list can read any shard on.
  if (!shard) return ''
  const other = open.find((run) => run.state === 'reading' && run.shard !== shard)
  return other ? `; \`owm produce ${slotFlags(other.slot, other.shard, true)}\` finishes that of ${other.slot}` : ''
}

function circuitCheck({ breakers }: Health, { now, resetAfterMs, answering }: OutboxFacts): Diagnosis {
  const open = breakers.filter(({ state, since }) => state === 'open' && since !== null)
  const found = open.map(({ name, failures, since }) => {
    const left = Date.parse(since ?? '') + resetAfterMs - now
    const next = left > 0 ? `it is left alone for ${age(left)} more` : 'half-open: the next start tries it once'
    return `the circuit to the ${name} is open since ${since} (${count(failures)} failures in a row): ${next}`
  })
  if (open.length === 0) return fine('outbox-circuit', 'no circuit is open')
  const isClosing = open.every(({ name }) => (name === 'source' ? answering.source : answering.sink))
  return wrong(isClosing ? 'outbox-circuit-closing' : 'outbox-circuit', found.join('; '))
}
