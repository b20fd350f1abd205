/** All checks of one pipeline. Read-only; a failing check doesn't hide the others. */
import { type ConfigParts, once } from '../config/check/index.js'
import { sharedIds } from '../config/check/streams.js'
import { isSharded, shardIn } from '../config/filters.js'
import type { Loaded } from '../config/load.js'
import { ownOptions } from '../config/section.js'
import { toError } from '../errors/index.js'
import type { Health } from '../outbox/inspect/health.js'
import { leftBehind, leftInWords } from '../outbox/inspect/left-behind.js'
import type { SinkDeps, SourceDeps } from '../pipeline/parts.js'
import type { Check, Diagnosis, Patient } from '../plugin.js'
import { timetable } from '../schedule/timetable.js'
import { shardNameIn } from '../tasks/shard.js'
import { type Code, checks } from './checks.js'
import { configured } from './configuration.js'
import { contentChecks, diskChecks, outboxState } from './outbox.js'
import { scheduleChecks } from './schedule.js'
import { sinkChecks } from './sink.js'
import { sourceChecks } from './source.js'
import { fine, unknown, wrong } from './verdict.js'

interface Parts extends Omit<ConfigParts, 'lookAtOutbox' | 'mustBeOwed' | 'judge'> {
  ownerOf(loaded: Loaded): Promise<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. */
  now(): number
  /** How many pipelines are examined. */
  readonly pipelines: number
}

/** A diagnosis, and the check that made it. */
export interface Finding extends Diagnosis {
  readonly check: Check
}

/** The least time that a run may take, in milliseconds; with a schedule, also the time of three scheduled times. */
const leastPatienceMs = 6 * 3_600_000

export interface Examined {
  readonly findings: Finding[]
  /** Undefined if too much of the configuration is wrong. */
  readonly loaded: Loaded | undefined
}

export async function examine(parts: Parts): Promise<Examined> {
  const { diagnoses, loaded, without } = await configured(parts)
  if (!loaded) return { findings: withChecks(diagnoses, {}), loaded }
  const { settings } = loaded
  const { path } = settings.outbox
  const isUsable = (section: string): boolean => !without.includes(section)
  const [source, sink]: [SourceDeps | undefined, SinkDeps | undefined] = [
    isUsable('source') ? await parts.sourceOf(once(loaded)) : undefined,
    isUsable('sink') ? await parts.sinkOf(loaded) : undefined,
  ]
  const found: Diagnosis[] = [...diagnoses]
  const times = settings.schedule && timetable(settings.schedule)
  const { diagnoses: state, health } = isUsable('outbox')
    ? await outboxState(path)
    : { diagnoses: [], health: undefined }
  const now = parts.now()
  const owner = await parts.ownerOf(loaded)
  const { index: ownShard, count: shards } = shardIn(settings, parts.env)
  const sharding = { pipeline: health?.owner ?? owner, shards, ownShard }
  const patient: Patient = {
    outboxId: health?.outboxId,
    pending: health?.pending ?? 0,
    outboxes: parts.pipelines * shards,
    tasks: health?.whole[0]?.tasks,
    now: parts.now,
  }
  const [read, answered] = await Promise.all([
    source && (isStandardInput(loaded) ? fromStandardInput : sourceChecks(source, patient, health?.whole)),
    sink && sinkChecks(sink, patient, { ...deliveredBy(health, path), ...sharding }),
  ])
  found.push(...state)
  if (isUsable('outbox'))
    found.push(
      ...(await attempt(['outbox-disk', 'outbox-space'], () => diskChecks(path, health, read?.locations ?? 0))),
    )
  if (health) {
    const patienceMs = Math.max(leastPatienceMs, times === undefined ? 0 : 3 * gapOf(times, now))
    const all = { ...source?.checks, ...sink?.checks, ...checks }
    const answering = { source: isWell(read?.diagnoses, all), sink: isWell(answered, all) }
    const shard = source && shardNameIn(source.digest)
    const { resetAfterMs } = settings.breaker
    const around = { path, owner, now, shard, patienceMs, resetAfterMs, answering }
    found.push(...(await attempt(['outbox-lock', 'outbox-pending'], async () => contentChecks(health, around))))
  }
  found.push(...(read?.diagnoses ?? []), ...(answered ?? []))
  const isHeld = health !== undefined && health.isHeld !== false
  const at = { now, isHeld, isSharded: isSharded(settings) }
  if (health) found.push(...(await attempt(['schedule-started'], () => scheduleChecks(path, times, at))))
  return { findings: withChecks(found, { ...source?.checks, ...sink?.checks }), loaded }
}

/** Pipelines that deliver to the same stream with possibly equal task ids. */
export const sharedStreams = async (all: readonly Loaded[]): Promise<Finding[]> =>
  (await sharedIds(all)).map(({ outcome }) => {
    const code = 'configuration-stream'
    return { ...wrong(code, typeof outcome === 'string' ? outcome : outcome.message), check: checks[code] }
  })

/** Outboxes that no pipeline uses: checked for all pipelines together, since they belong to none. */
export async function outboxesLeft(all: readonly Loaded[]): Promise<Finding[]> {
  const code = 'outbox-left-behind'
  const families = new Map(all.flatMap(({ family }) => (family ? [[family.shared, family] as const] : [])))
  const left = (await Promise.all([...families.values()].map(leftBehind))).flat()
  if (families.size > 0 && left.length === 0)
    return [{ ...fine(code, 'every outbox with unfinished work is that of a pipeline'), check: checks[code] }]
  return left.map((one) => ({ ...wrong(code, leftInWords(one)), check: checks[code] }))
}

const deliveredBy = (health: Health | undefined, path: string) => ({
  path: health && path,
  runs: health?.received ?? [],
})

/** Standard input can be read only once: leave it for the run. */
const isStandardInput = (loaded: Loaded): boolean => ownOptions(loaded, 'source')['file'] === '-'
const fromStandardInput = {
  diagnoses: [unknown('source-answers', 'it is read from standard input')],
  locations: 0,
}

/** Milliseconds between the next two scheduled times. */
function gapOf(times: ReturnType<typeof timetable>, now: number): number {
  const next = times.after(now)
  const second = next === undefined ? undefined : times.after(next)
  return next === undefined || second === undefined ? 0 : second - next
}

/** What these find is no obstacle to a delivery. */
const ofReceipts = ['sink-receipts', 'sink-shards']

/** Whether the source or sink answers, and no finding would keep a run from using it. */
const isWell = (found: readonly Diagnosis[] | undefined, all: Readonly<Record<string, Check>>): boolean =>
  found?.some(({ code, verdict }) => code.endsWith('-answers') && verdict === 'fine') === true &&
  !found.some(({ code, verdict }) => verdict === 'wrong' && all[code]?.exitCode !== 0 && !ofReceipts.includes(code))

/** Makes some checks; if that fails, these codes report it as unknown. */
async function attempt(codes: readonly Code[], make: () => Promise<Diagnosis[]>): Promise<Diagnosis[]> {
  return make().catch((error: unknown) => codes.map((code) => unknown(code, toError(error).message)))
}

/** Adds the checks. If a log has lost its outbox, `outbox-folder` would only repeat that, and is left out. */
function withChecks(found: readonly Diagnosis[], ofPlugins: Readonly<Record<string, Check>>): Finding[] {
  const all: Readonly<Record<string, Check>> = { ...ofPlugins, ...checks }
  const isLost = found.some(({ code, verdict }) => code === 'outbox-log' && verdict === 'wrong')
  return found.flatMap((one) => {
    const check = all[one.code]
    return check === undefined || (isLost && one.code === 'outbox-folder') ? [] : [{ ...one, check }]
  })
}
