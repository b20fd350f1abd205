/** The differences that `owm verify` finds, and the commands that resolve them. */
import type { OwnSlot } from '../../../../outbox/inspect/ids/own-slots.js'
import type { Sink } from '../../../../plugin.js'

/** A difference, and the command that resolves it. */
export interface Difference {
  /**
   * `no run`: the outbox has none. `shards`: the sink has only some shards of the slot, of a shard count that is no
   * longer served. `waiting`: the slot is incomplete, and no owm is running. `no receipt`: the sink has none.
   * `receipt`: it differs. `missing`: tasks that aren't in the sink. `twice`: tasks that are there more often than they
   * were sent. `lost`: tasks that the sink is known to have lost. `not in slot`, `not in list`: compared with the
   * source.
   */
  readonly kind: Kind
  /** How many tasks; for a receipt, how many values. */
  readonly count: number
  readonly what: string
  /** Task ids, as far as known, up to `mostIds`. */
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

/** What the commands depend on. */
export type SinkAsked = Pick<Sink, 'guarantee' | 'receipts' | 'taskIds' | 'position' | 'place'>

/** The most ids that a difference names. */
export const mostIds = 10_000

export const startOf = ({ flags }: OwnSlot): string => `owm produce ${flags}`

/** For a slot whose history is gone: a plain `produce` wouldn't read anything. */
export const replays = ({ flags }: OwnSlot, sink: SinkAsked): string =>
  `\`owm outbox replay ${flags}\` delivers ${replayedTo(sink)}, under the same ids`

/** A replay skips what the sink says it holds (pipeline/contact.ts). */
export const replayedTo = ({ taskIds, position, place }: SinkAsked): string =>
  taskIds && (!position || place)
    ? 'what the sink lacks'
    : "all of the slot's tasks once more, since this sink doesn't say which it holds"
