/** The states of a run, and its moves from each; docs/protocol.md ("The outbox") says what they mean. */
export const runStates = ['reading', 'checking', 'read', 'done', 'lost', 'missed', 'discarded'] as const
export type RunState = (typeof runStates)[number]

export const moves: Readonly<Record<RunState, readonly RunState[]>> = {
  reading: ['checking', 'done', 'missed', 'discarded'],
  checking: ['read', 'done', 'discarded'],
  read: ['done', 'lost', 'discarded'],
  done: ['read', 'lost'],
  lost: ['read', 'done', 'discarded'],
  missed: [],
  discarded: [],
}

/** The source isn't read to its end, or its suspects aren't decided. */
export const readingStates: readonly RunState[] = ['reading', 'checking']
/** Not all tasks are stored, or not all of them are in the sink. */
export const unfinishedStates: readonly RunState[] = [...readingStates, 'read']
/** The source was read to its end, and the run wasn't discarded. */
export const readStates: readonly RunState[] = ['read', 'done', 'lost']

/** What changes in a run that is read no further. `now`: milliseconds since 1970. */
export const closed = (state: 'missed' | 'done' | 'discarded', now: number) =>
  ({ state, checkpoint: null, finishedAt: now }) as const
