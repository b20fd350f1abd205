/** What is told of a start once it has ended. */
import type { SinkPicture } from '../plugin.js'
import type { StartRecord } from './record.js'

/** The `shard` of a start that reads the whole list. */
export const wholeShard = '0-of-1'

/** Set in what a hook starts: an owm among it tells nobody, so that a failure doesn't notify of itself for ever. */
export const hookVariable = 'OWM_EVENT'

/** Of the outbox: see outbox/inspect/vitals. */
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
  /** `owm produce` */
  readonly command: string
  readonly pipeline: string
  /** `0-of-3`; `wholeShard` where there are no shards. */
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
  /** What this start did; 0 where that isn't known. */
  readonly delivered: number
  readonly deduplicated: number
  readonly trimmed: number
  readonly missed: number
  readonly lost: number
  readonly fewer: number
  /** Undefined where it couldn't be read, or there is none. */
  readonly vitals: OutboxVitals | undefined
  readonly stream: SinkPicture | undefined
}

/** The same with what is known of the starts before it. */
export interface EndedAfter extends Ended {
  readonly before: StartRecord | undefined
  /** With this start in it. */
  readonly record: StartRecord
  /** Milliseconds since 1970: two scheduled times after the last success. Undefined without a schedule. */
  readonly successDue: number | undefined
}
