/** What the pipeline works with, as the composition root puts it together. */
import { isOwmError, type OwmError, TransientError, toError } from '../errors/index.js'
import type { From, Outbox } from '../outbox/outbox.js'
import type { Check, Logger, Sink } from '../plugin.js'
import type { Given } from './input/minimum.js'
import type { BoundedSource } from './input/pages.js'
import type { Resilience } from './retry.js'
import type { OnTime } from './slots/on-time.js'

export interface Progress {
  read: number
  delivered: number
  /** Locations that the source says it has, where it does. */
  total: number | undefined
}

export interface Deps {
  outbox: Outbox
  /** The pipeline's name, else the path of its configuration: receipts bear it. */
  pipeline: string
  sink: SinkDeps
  /** What the sink gets where it is another one than before: an operator's word. */
  adopt?: From
  /** Retries and breaker around the sink. */
  resilience: Resilience
  /** Where there is one, outboxes that don't know all that was served go on behind the sink's receipts. */
  schedule?: OnTime | undefined
  log: Logger
  signal: AbortSignal
  onProgress?(progress: Progress): void
  /** Looks at the sink after the last delivery, whatever that came to, before it is closed. Never throws. */
  onDelivered?: ((sink: Sink) => Promise<void>) | undefined
}

export interface SinkDeps {
  name: string
  /** What its `doctor` looks at. */
  checks?: Readonly<Record<string, Check>> | undefined
  /** A supervised sink: see plugins/supervise. */
  open(): Promise<Sink>
}

/** Under which a sink's tasks are noted in the outbox: its address, or else its name. */
export const addressNoted = ({ address }: Pick<Sink, 'address'>, name: string): string => address ?? name

export interface SourceDeps {
  name: string
  /** What its `doctor` looks at. */
  checks?: Readonly<Record<string, Check>> | undefined
  /** Hash of name and options: tells whether a checkpoint still fits. */
  digest: string
  /** Fewer locations than these end the run before any of its tasks is delivered. */
  minLocations?: number
  /** Likewise, as a share of the last run that was delivered, 0..1. */
  minShare?: number | undefined
  /** What the source gave before a shard was taken, where something stands between that counts it. */
  given?(): Given
  /** A supervised source: see plugins/supervise. It may have a bound. */
  open(): Promise<BoundedSource>
}

export interface ProduceDeps extends Deps {
  source: SourceDeps
  /** What goes with the tasks of a slot as their `traceparent`; undefined where nothing shall. */
  traceparent?: ((slot: string) => string) | undefined
  /** Told of the run that this start is for. */
  onRun?(run: { runId: string; slot: string }): void
}

/** What became of the tasks that were sent. */
export interface Delivered {
  delivered: number
  deduplicated: number
  /** Entries that the sink's bound trimmed before anybody had read them. */
  evicted: number
  /** Tasks that the sink refused for good. */
  refused: number
  /** Tasks that the sink had and lost, and that can't be delivered again. */
  lost: number
}

export const nothingDelivered = (): Delivered => ({ delivered: 0, deduplicated: 0, evicted: 0, refused: 0, lost: 0 })

/** Unknown errors are transient: a retry can do no harm, giving up can. */
export function asOwmError(thrown: unknown): OwmError {
  if (isOwmError(thrown)) return thrown
  return new TransientError(toError(thrown).message, {
    hint: 'What the outbox holds is safe: mend the cause, then start owm again.',
    cause: thrown,
  })
}
