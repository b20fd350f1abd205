/** What one run has to do with a place. Pure. */
import type { RunTold, Told, Trace } from '../../../../outbox/inspect/ids/story.js'
import { runStateInWords } from '../runs/words.js'
import type { Line } from './list.js'
import { type Spot, spotOfRecord, spotOfTask } from './match.js'
import type { Gone, Seen } from './sink.js'

export interface RunStory {
  readonly slot: string
  readonly runId: string
  /** The run's state; `failed` or `interrupted` if it isn't read to its end and no process is reading it. */
  readonly state: string
  /**
   * What became of the place in this run. With a task: `pending`, `delivered`, `dead`, `discarded`, `held`, `lost`.
   * Without one: `rejected`, `duplicate`, `suspect` (undecided), `not due`, `stored before` (by another run of the
   * slot), `not read yet`, `never read` (discarded first), `no run` (nothing was stored), `not in the list` (then),
   * `not kept` (no longer in the history).
   */
  readonly what: string
  readonly taskId: string | null
  readonly seq: number | null
  /** The `seq` of the first task in its batch. */
  readonly batch: number | null
  readonly attempts: number
  readonly reason: string | null
  /** Its position in the list, if the run recorded it. */
  readonly position: string | null
  /** When it was stored, or refused for good: ISO 8601; null if unknown. */
  readonly at: string | null
  readonly entries: readonly Seen[]
  /** Set if the sink took it and no longer has it. */
  readonly gone: Gone | null
  /** Whether the run has anything to do with the place. */
  readonly isOfPlace: boolean
}

interface About {
  readonly line: Line | undefined
  readonly found: { readonly told: Told | undefined; readonly traces: readonly Trace[] }
}

export function storyOf(told: RunTold, { line, found }: About, seen: readonly Seen[]): RunStory {
  const { run } = told
  const own = found.traces.filter((trace) => trace.run === run.id && isOf(line, trace))
  // A duplicate's trace counts only if the place has neither another one nor a line in the list.
  const record = own.find(({ kind }) => kind !== 'duplicate') ?? (line ? undefined : own[0])
  const trace = own.find(({ seq }) => seq !== null) ?? record
  const expected = line?.idIn(told)
  const taskId = (trace && taskIn(trace.text)?.id) ?? (expected && expected !== 'not due' ? expected : null)
  const entries = seen.filter((entry) => entry.taskId === taskId)
  const state = runStateInWords({ state: run.state, lastError: run.lastError, isBeingRead: told.isBeingRead })
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

/** Whether a trace belongs to the place in this line: by its id, or else by its position or text. */
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

/** A task's id and place; undefined if the text isn't a task. */
export function taskIn(text: string): { id: string; spot: Spot } | undefined {
  try {
    const task: Readonly<Record<string, unknown>> | null = JSON.parse(text)
    const id = task?.['task_id']
    return task && typeof id === 'string' ? { id, spot: spotOfTask(task) } : undefined
  } catch {
    return undefined
  }
}
