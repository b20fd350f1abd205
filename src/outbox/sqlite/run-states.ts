/** The states of a run. docs/protocol.md says how it comes from one to another ("The outbox"). */
export const runStates = ['reading', 'checking', 'read', 'done', 'lost', 'missed', 'discarded'] as const
export type RunState = (typeof runStates)[number]

/** Of runs whose source isn't read to its end, or not compared yet. */
export const readingStates: readonly RunState[] = ['reading', 'checking']
/** Of runs whose tasks aren't all read, or not all in the sink. */
export const unfinishedStates: readonly RunState[] = [...readingStates, 'read']
/** Of runs whose source was read to its end, and that nobody gave up. */
export const readStates: readonly RunState[] = ['read', 'done', 'lost']
