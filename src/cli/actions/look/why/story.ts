/** What one run has of a place. Pure. */
import type { RunTold, Told, Trace } from '../../../../outbox/inspect/ids/story.js'
import { runStateInWords } from '../runs/words.js'
import type { Line } from './list.js'
import { spotOfRecord } from './match.js'
import type { Gone, Seen } from './sink.js'
import { taskIn } from './why.js'

export interface RunStory {
  readonly slot: string
  readonly runId: string
  /** A run's state; of one that isn't read to its end and that nobody reads `failed` or `interrupted`. */
  readonly state: string
  /**
   * What became of the place in it. Of its task: `pending`, `delivered`, `dead`, `discarded`, `held`, `lost`. Without
   * one: `rejected`, `duplicate`, `suspect` (not yet decided), `not due`, `stored before` (by another run of its slot),
   * `not read yet`, `never read` (it was given up before), `no run` (nothing of it was stored), `not in the list` then,
   * `not kept` in the history any more.
   */
  readonly what: string
  readonly taskId: string | null
  readonly seq: number | null
  /** The `seq` of the first task in its batch. */
  readonly batch: number | null
  readonly attempts: number
  readonly reason: string | null
  /** Where it stood in the list, where the run noted that. */
  readonly position: string | null
  /** When it was stored, or died: ISO 8601; null where that isn't known. */
  readonly at: string | null
  readonly entries: readonly Seen[]
  /** Where the sink took it and no longer has it. */
  readonly gone: Gone | null
  /** Whether the run tells anything of the place. */
  readonly isOfPlace: boolean
}

interface About {
  readonly line: Line | undefined
  readonly found: { readonly told: Told | undefined; readonly traces: readonly Trace[] }
}

export function storyOf(told: RunTold, { line, found }: About, seen: readonly Seen[]): RunStory {
  const { run } = told
  const own = found.traces.filter((trace) => trace.run === run.id && isOf(line, trace))
  // A second line of the place tells of its task only where the first one's isn't known.
  const record = own.find(({ kind }) => kind !== 'duplicate') ?? (line ? undefined : own[0])
  const trace = own.find(({ seq }) => seq !== null) ?? record
  const expected = line?.idIn(told)
  const taskId = (trace && taskIn(trace.text)?.id) ?? (expected && expected !== 'not due' ? expected : null)
  const entries = seen.filter((entry) => entry.taskId === taskId)
  const state = runStateInWords({ ...run, isBeingRead: told.isBeingRead })
  const base = { slot: run.slot, runId: run.runId, state, taskId, entries, gone: null }
  if (trace) {
    const { seq, batch, attempts, reason, position, at, kind } = trace
    const isLost = kind === 'delivered' && run.state === 'lost' && entries.length === 0
    const what = isLost ? 'lost' : kind
    return { ...base, seq, batch, attempts, reason, position, at, what, isOfPlace: true }
  }
  const without = { seq: null, batch: null, attempts: 0, position: null, at: null, reason: run.lastError }
  const what = whatOf(told, { expected, taskId, found, isThere: entries.length > 0 })
  return { ...base, ...without, what, isOfPlace: line !== undefined && !told.isReplaced }
}

/** Whether a task, or what became none, is of the place in this line: its id says so, else its position or text. */
function isOf(line: Line | undefined, { text, position }: Trace): boolean {
  if (!line || taskIn(text)) return true
  const [id, own] = [spotOfRecord(text)?.id ?? null, line.spot?.id ?? null]
  return id !== null && own !== null ? id === own : position === line.position || text === line.value
}

function whatOf(
  { run, isKept }: RunTold,
  {
    expected,
    taskId,
    found,
    isThere,
  }: { expected: string | undefined; taskId: string | null; isThere: boolean } & Pick<About, 'found'>,
): string {
  if (expected === 'not due') return expected
  if (run.state === 'missed') return 'no run'
  if (taskId !== null && found.traces.some(({ seq, text }) => seq !== null && taskIn(text)?.id === taskId))
    return 'stored before'
  if (run.state === 'reading') return 'not read yet'
  if (run.state === 'discarded' && run.read === 0) return 'never read'
  if (run.persisted > 0 && isKept) return 'not in the list'
  return isThere ? 'delivered' : 'not kept'
}
