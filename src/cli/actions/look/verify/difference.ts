/** What `owm verify` finds to differ, and the commands that mend it. */
import type { OwnSlot } from '../../../../outbox/inspect/ids/own-slots.js'
import type { Sink } from '../../../../plugin.js'

/** What was found to differ, what to do about it: a command. */
export interface Difference {
  /**
   * `no run`: the outbox has none. `shards`: the slot is there in part, in a number of shards that nobody serves any
   * more. `waiting`: the slot isn't whole, and nobody is at work. `no receipt`; `receipt`:
   * it says something else. `missing`: tasks that aren't in the sink. `twice`: tasks that are there more often than
   * they were sent. `lost`: tasks of which the outbox knows that the sink lost them. `not in slot`, `not in list`:
   * against the source.
   */
  readonly kind: Kind
  /** Tasks; of a receipt, the values that differ. */
  readonly count: number
  readonly what: string
  /** Task ids, as far as they are known, up to `mostIds`. */
  readonly ids: string[]
  readonly todo: string
}

type Kind =
  | 'no run'
  | 'shards'
  | 'waiting'
  | 'no receipt'
  | 'receipt'
  | 'missing'
  | 'twice'
  | 'lost'
  | 'not in slot'
  | 'not in list'

/** What of the sink a command depends on. */
export type SinkAsked = Pick<Sink, 'guarantee' | 'receipts' | 'taskIds' | 'position' | 'place'>

/** Ids that a difference names. */
export const mostIds = 10_000

export const startOf = (own: OwnSlot): string => `owm produce ${named(own)}`

export const named = ({ slot, shard }: OwnSlot): string => `--slot ${slot}${shard === '' ? '' : ` --shard ${shard}`}`

/** Of a slot whose history is gone, a plain `produce` reads nothing. */
export const replays = (own: OwnSlot, sink: SinkAsked): string =>
  `\`owm outbox replay ${named(own)}\` delivers ${replayedTo(sink)}, under the same ids`

/** What a replay leaves out is what the sink says that it holds (pipeline/contact.ts). */
export const replayedTo = ({ taskIds, position, place }: SinkAsked): string =>
  taskIds && (!position || place)
    ? 'what the sink lacks'
    : "all of the slot's tasks once more, since this sink doesn't say which it holds"
