/** The outcome of a start, as metrics and hooks get it. */
import type { SinkPicture } from '../plugin.js'
import type { StartRecord } from './record.js'

/** The `shard` of a start without shards. */
export const wholeShard = '0-of-1'

/** Set for a hook's command: an owm started by it notifies nobody, so that a failure can't trigger itself for ever. */
export const hookVariable = 'OWM_EVENT'

/** The outbox's state: see outbox/inspect/vitals. */
interface OutboxVitals {
  readonly pending: number
  readonly oldestPendingAt: string | null
  readonly dead: number
  readonly died: number
  readonly lost: number
  readonly openRuns: number
  readonly missed: Readonly<Record<string, number>>
  readonly run: Readonly<
    Record<'stored' | 'rejected' | 'duplicate' | 'not_due', number> & { slot: string; shard: string }
  > | null
}

export interface Ended {
  /** Such as `owm produce`. */
  readonly command: string
  readonly pipeline: string
  /** Such as `0-of-3`; `wholeShard` without shards. */
  readonly shard: string
  readonly slot: string | null
  readonly runId: string | null
  readonly exitCode: number
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
  /** In words, without secrets. */
  readonly summary: string
  /** Milliseconds since 1970. */
  readonly endedAt: number
  readonly durationMs: number
  /** What this start did; 0 if unknown. */
  readonly delivered: number
  readonly deduplicated: number
  readonly trimmed: number
  readonly missed: number
  readonly lost: number
  readonly fewer: number
  /** Undefined if it couldn't be read, or there is none. */
  readonly vitals: OutboxVitals | undefined
  readonly stream: SinkPicture | undefined
}

/** With what is known of earlier starts. */
export interface EndedAfter extends Ended {
  readonly before: StartRecord | undefined
  /** Including this start. */
  readonly record: StartRecord
  /** The second scheduled time after the last success, in milliseconds since 1970. Undefined without a schedule. */
  readonly successDue: number | undefined
}
