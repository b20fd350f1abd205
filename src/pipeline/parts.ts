/** What the pipeline needs from the composition root. */
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
  /** The source's number of locations, if it knows. */
  total: number | undefined
}

export interface Deps {
  outbox: Outbox
  /** The pipeline's name, else the path of its configuration: written in receipts. */
  pipeline: string
  /** Whether the configuration reads a shard: see `shardFlag`. */
  isSharded: boolean
  sink: SinkDeps
  /** Which tasks another sink than before gets: the operator's choice. */
  adopt?: From
  /** Retries and breaker around the sink. */
  resilience: Resilience
  /** With one, an outbox that doesn't know all that was served continues after the sink's receipts. */
  schedule?: OnTime | undefined
  log: Logger
  signal: AbortSignal
  onProgress?(progress: Progress): void
  /** Called with the sink after the last delivery, even a failed one, before it is closed. Never throws. */
  onDelivered?: ((sink: Sink) => Promise<void>) | undefined
}

export interface SinkDeps {
  name: string
  /** What its `doctor` looks at. */
  checks?: Readonly<Record<string, Check>> | undefined
  /** Its address, as far as the options tell it without opening the sink. */
  address?: string | undefined
  /** A supervised sink: see plugins/supervise. */
  open(): Promise<Sink>
}

/** The name of a sink in the outbox: its address, or else its name. */
export const addressNoted = ({ address }: Pick<Sink, 'address'>, name: string): string => address ?? name

export interface SourceDeps {
  name: string
  /** What its `doctor` looks at. */
  checks?: Readonly<Record<string, Check>> | undefined
  /** Hash of name and options: a checkpoint belongs to one. */
  digest: string
  /** Fewer locations end the run before any of its tasks is delivered. */
  minLocations?: number
  /** Likewise, as a share of the last run that was delivered, 0..1. */
  minShare?: number | undefined
  /** What the source gave before a shard was taken, if filters count that. */
  given?(): Given
  /** A supervised source: see plugins/supervise. It may have a bound. */
  open(): Promise<BoundedSource>
}

export interface ProduceDeps extends Deps {
  source: SourceDeps
  /** The `traceparent` of a slot's tasks; undefined for none. */
  traceparent?: ((slot: string) => string) | undefined
  /** Called with the run that this start works on. */
  onRun?(run: { runId: string; slot: string }): void
}

/** Tasks that were sent, by outcome. */
export interface Delivered {
  delivered: number
  deduplicated: number
  /** Entries that the sink's bound trimmed before they were read. */
  evicted: number
  /** Tasks that the sink refused for good. */
  refused: number
  /** Tasks that the sink lost and that can't be delivered again. */
  lost: number
}

export const nothingDelivered = (): Delivered => ({ delivered: 0, deduplicated: 0, evicted: 0, refused: 0, lost: 0 })

export const sumOfDelivered = (one: Delivered, other: Delivered): Delivered => ({
  delivered: one.delivered + other.delivered,
  deduplicated: one.deduplicated + other.deduplicated,
  evicted: one.evicted + other.evicted,
  refused: one.refused + other.refused,
  lost: one.lost + other.lost,
})

/** Unknown errors count as transient: a retry does no harm, giving up might. */
export function asOwmError(thrown: unknown): OwmError {
  if (isOwmError(thrown)) return thrown
  return new TransientError(toError(thrown).message, {
    hint: 'What the outbox holds is safe: fix the cause, then start owm again.',
    cause: thrown,
  })
}
