/**
 * Metrics for Prometheus: what a start did, what the outbox holds, and how full the sink is. Written to a file for
 * node_exporter's textfile collector, or pushed to a Pushgateway.
 */
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Registry from 'prom-client/lib/registry.js'
import { replaceFile } from '../files/replace.js'
import { type EndedAfter, wholeShard } from './ended.js'
import { abortedAfter, post } from './post.js'

interface Metric {
  readonly name: string
  readonly help: string
  /** The label that distinguishes its values. */
  readonly by?: 'outcome' | 'reason' | 'group'
  readonly isCounter?: true
  /** One value, or one per outcome, reason or group; null or undefined if unknown. */
  readonly value: (ended: EndedAfter) => number | Readonly<Record<string, number>> | null | undefined
}

const seconds = (milliseconds: number | null | undefined): number | undefined =>
  typeof milliseconds === 'number' ? milliseconds / 1000 : undefined

const atTime = (text: string | null | undefined): number | undefined =>
  typeof text === 'string' ? seconds(Date.parse(text)) : undefined

function locationsIn({ vitals }: EndedAfter): Record<string, number> | undefined {
  if (!vitals?.run) return undefined
  const { slot: _, shard: __, ...locations } = vitals.run
  return locations
}

export const metrics: readonly Metric[] = [
  {
    name: 'owm_last_success_timestamp_seconds',
    help: 'When a start last ended with exit code 0. A start that fails leaves it as it is.',
    value: ({ record }) => seconds(record.lastSuccess),
  },
  {
    name: 'owm_success_due_timestamp_seconds',
    help: 'The second scheduled time after the last success, by which another should have come. Needs `schedule`.',
    value: ({ successDue }) => seconds(successDue),
  },
  {
    name: 'owm_run_timestamp_seconds',
    help: 'When the last start ended, whatever its exit code.',
    value: ({ endedAt }) => seconds(endedAt),
  },
  {
    name: 'owm_run_exit_code',
    help: 'Exit code of the last start.',
    value: ({ exitCode }) => exitCode,
  },
  {
    name: 'owm_run_duration_seconds',
    help: 'How long the last start took.',
    value: ({ durationMs }) => seconds(durationMs),
  },
  {
    name: 'owm_run_tasks',
    help: 'Tasks that the last start sent, by what became of them.',
    by: 'outcome',
    value: ({ delivered, deduplicated }) => ({ delivered, deduplicated }),
  },
  {
    name: 'owm_run_trimmed_entries',
    help: "Unread entries that the stream's bound trimmed during the last start.",
    value: ({ trimmed }) => trimmed,
  },
  {
    name: 'owm_run_slot_timestamp_seconds',
    help: 'The scheduled time that the latest run in the ledger is for.',
    value: ({ vitals }) => atTime(vitals?.run?.slot),
  },
  {
    name: 'owm_run_locations',
    help: 'Locations of the latest run in the ledger, by what became of them.',
    by: 'outcome',
    value: locationsIn,
  },
  {
    name: 'owm_open_runs',
    help: 'Runs that are not delivered to the end.',
    value: ({ vitals }) => vitals?.openRuns,
  },
  {
    name: 'owm_outbox_pending_tasks',
    help: 'Tasks that wait in the outbox.',
    value: ({ vitals }) => vitals?.pending,
  },
  {
    name: 'owm_outbox_oldest_pending_timestamp_seconds',
    help: 'When the oldest pending task was stored. Left out where none is pending.',
    value: ({ vitals }) => atTime(vitals?.oldestPendingAt),
  },
  {
    name: 'owm_dead_tasks',
    help: 'Dead letters: tasks that the sink refused for good, and that nobody has retried or given up.',
    value: ({ vitals }) => vitals?.dead,
  },
  {
    name: 'owm_lost_tasks',
    help: 'Tasks that the sink had and lost, and that nobody has read again or given up.',
    value: ({ vitals }) => vitals?.lost,
  },
  {
    name: 'owm_slots_missed_total',
    help: 'Scheduled times that no run serves, since the outbox was made.',
    by: 'reason',
    isCounter: true,
    value: ({ vitals }) => vitals?.missed,
  },
  {
    name: 'owm_stream_entries',
    help: 'Entries in the sink.',
    value: ({ stream }) => stream?.entries,
  },
  {
    name: 'owm_stream_bound_entries',
    help: 'Entries that the sink holds at most. Left out where it has no bound.',
    value: ({ stream }) => stream?.bound,
  },
  {
    name: 'owm_stream_unread_entries',
    help: 'Entries that a consumer group has not read.',
    by: 'group',
    value: ({ stream }) => {
      const known = stream?.groups.flatMap(({ name, lag }) => (lag === null ? [] : [[name, lag] as const]))
      return known && Object.fromEntries(known)
    },
  },
]

/** A registry with every metric that is known. */
export function registryOf(ended: EndedAfter, labels: Readonly<Record<string, string>>): Registry {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  for (const { name, help, by, isCounter, value } of metrics) {
    const found = value(ended)
    if (found === undefined || found === null) continue
    const labelNames = by ? [by] : []
    const set = (labelled: Record<string, string>, amount: number): void => {
      if (metric instanceof Counter) metric.inc(labelled, amount)
      else metric.set(labelled, amount)
    }
    const options = { name, help, labelNames, registers: [registry] }
    const metric = isCounter ? new Counter(options) : new Gauge(options)
    if (typeof found === 'number') set({}, found)
    else for (const [key, amount] of Object.entries(found)) set(by ? { [by]: key } : {}, amount)
  }
  return registry
}

/** Writes the file atomically, readable by all users. Throws file system errors. */
export async function writeTextfile(path: string, registry: Registry): Promise<void> {
  await replaceFile(path, await registry.metrics(), 0o644)
}

/**
 * Adds to the gateway's metrics under these labels (POST): those unknown this time keep their last value. Throws if the
 * gateway can't be reached, or refuses.
 */
export async function push(
  { url, job, timeoutMs }: { url: string; job: string; timeoutMs: number },
  registry: Registry,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const address = new URL(url)
  const path = ['metrics', 'job', job, ...groupingsOf(labels).flat()].map(encodeURIComponent).join('/')
  address.pathname = `${address.pathname.replace(/\/$/, '')}/${path}`
  const body = await registry.metrics()
  await post(address.href, { body, type: registry.contentType, signal: abortedAfter(timeoutMs, signal) })
}

/** A path can't hold a value that has a slash or is empty: the gateway takes those as base64. */
function groupingsOf(labels: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(labels).map(([name, value]) => {
    if (value !== '' && !value.includes('/')) return [name, value]
    return [`${name}@base64`, value === '' ? '=' : Buffer.from(value).toString('base64url')]
  })
}

/** For shard 0 of 3, `owm.prom` becomes `owm-0-of-3.prom`. */
export const fileOfShard = (path: string, shard: string): string =>
  shard === wholeShard ? path : path.replace(/\.prom$/, `-${shard}.prom`)
