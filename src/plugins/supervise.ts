/**
 * The one supervision of everything that a plugin does: an open source or sink is held to its contract (plugin.ts)
 * and to its time. Whatever it does instead of what it promised ends in an error that names the plugin and the rule.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ConfigurationError, isOwmError, TransientError, toError } from '../errors/index.js'
import {
  type Location,
  type LocationBatch,
  type Logger,
  Malformed,
  type Outcome,
  type Sink,
  type SinkPosition,
  type Source,
  type TaskBatch,
} from '../plugin.js'

export interface Terms {
  /** As the configuration names the plugin. */
  name: string
  /** Milliseconds that it may take for an answer. */
  timeoutMs: number
  signal: AbortSignal
  log: Logger
}

/** Milliseconds that a call may still take once the run was interrupted. */
const graceMs = 5_000

/** Milliseconds that a plugin may take to close: what it gave or took is safe by then. */
const closeMs = 5_000

const batchShape = 'A batch is {locations: [{…}], resume: "text", position: (index) => "text"}.'

/** Opens a source. Throws ConfigurationError for a breach of contract, TransientError where it doesn't open. */
export async function superviseSource(terms: Terms, open: () => Source | Promise<Source>): Promise<Source> {
  const supervisor = new Supervisor('source', terms)
  const source = await supervisor.open(open)
  supervisor.mustHave(
    source,
    'read',
    'Its `open` must give {read(resume), close?, total?}; write `read` as `async *read(resume) { … yield … }`.',
  )
  const total = supervisor.look('total', () => source.total)
  return {
    // For the progress bar only: no reason to stop.
    total: typeof total === 'number' && total >= 0 ? total : undefined,
    read: (resume) => pages(supervisor, source, resume),
    close: () => supervisor.close(source),
  }
}

/** The pages of a source that may hang: each is waited for within its time, and none once the signal aborts. */
async function* pages(
  supervisor: Supervisor,
  source: Source,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const { timeoutMs, signal } = supervisor.terms
  const given = source.read(resume)
  supervisor.must(
    isObject(given) && Symbol.asyncIterator in given,
    `\`read\` gave ${shown(given)}`,
    'Write it as `async *read(resume) { … yield … }`.',
  )
  const iterator = given[Symbol.asyncIterator]()
  let pulling = false
  let emptySince: number | undefined
  try {
    while (!signal.aborted) {
      pulling = true
      const next = await supervisor.pull(() => iterator.next())
      if (next === undefined) return
      pulling = false
      if (next.done) return
      const page = checkedPage(supervisor, next.value)
      if (page.locations.length > 0) emptySince = undefined
      else {
        // Without this turn, pages of nothing would keep signals and timers from being heard.
        await nextTurn()
        emptySince ??= performance.now()
        if (performance.now() - emptySince > timeoutMs)
          throw new TransientError(`it gave nothing but empty batches for ${timeoutMs / 1000} s`)
      }
      yield page
    }
  } finally {
    // A source that hangs can't be asked to end its iteration either.
    const ended = iterator.return?.()
    if (!pulling) await ended
    else ended?.catch(() => undefined)
  }
}

function checkedPage(supervisor: Supervisor, page: LocationBatch): LocationBatch {
  supervisor.must(isObject(page), `it gave ${shown(page)} instead of a batch`, batchShape)
  const locations = supervisor.look('locations', () => page.locations)
  const resume = supervisor.look('resume', () => page.resume)
  supervisor.must(
    Array.isArray(locations),
    `the \`locations\` of a batch were ${shown(locations)}, not a list`,
    batchShape,
  )
  supervisor.must(typeof resume === 'string', `the \`resume\` of a batch was ${shown(resume)}, not text`, batchShape)
  supervisor.must(
    typeof supervisor.look('position', () => page.position) === 'function',
    'a batch had no function `position`',
    batchShape,
  )
  return {
    // Bad input is set aside, whoever let it through.
    locations: locations.every((location) => isObject(location)) ? locations : locations.map(recordOf),
    resume,
    position(index) {
      const place: unknown = supervisor.look('position', () => page.position(index))
      supervisor.must(typeof place === 'string', `\`position\` gave ${shown(place)}, not text`, batchShape)
      return String(place)
    },
  }
}

const recordOf = (location: Location | Malformed): Location | Malformed =>
  isObject(location) ? location : new Malformed(shown(location), 'a location must be an object')

/** Opens a sink; what, how and when it answers from then on is checked. */
export async function superviseSink(terms: Terms, open: () => Sink | Promise<Sink>): Promise<Sink> {
  const supervisor = new Supervisor('sink', terms)
  const sink = await supervisor.open(open)
  supervisor.mustHave(sink, 'deliver', 'Its `open` must give {guarantee, deliver(batch), position?, close?}.')
  const guarantee = supervisor.look('guarantee', () => sink.guarantee)
  const usesStandardOutput = supervisor.look('usesStandardOutput', () => sink.usesStandardOutput) === true
  const position = supervisor.look('position', () => sink.position?.bind(sink))
  supervisor.must(
    guarantee === 'exactly-once' || guarantee === 'at-least-once',
    `its \`guarantee\` was ${shown(guarantee)}`,
    'It is "exactly-once" where a batch that comes again adds nothing, else "at-least-once".',
  )
  const takesTwo = supervisor.look('takesTwo', () => sink.takesTwo) === true
  const calls = new Calls(supervisor)
  return {
    guarantee,
    usesStandardOutput,
    takesTwo,
    get evicted() {
      return sink.evicted
    },
    async deliver(batch) {
      const answer = () => supervisor.ask(() => sink.deliver(batch))
      // On standard output the reader sets the pace.
      const outcomes = usesStandardOutput ? await answer() : await calls.make(answer)
      return checkedOutcomes(supervisor, batch, outcomes)
    },
    ...(position && {
      position: async (outboxId: string) => {
        const answer = supervisor.ask(() => position(outboxId))
        return checkedPosition(supervisor, await supervisor.within(answer, 'did not tell its position'))
      },
    }),
    close: () => supervisor.close(sink),
  }
}

/** Calls of a sink, some of which may not have answered in time: they must end before another one begins. */
class Calls {
  readonly #supervisor: Supervisor
  readonly #hanging = new Set<Promise<unknown>>()

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor
  }

  async make<T>(call: () => Promise<T>): Promise<T> {
    if (this.#hanging.size > 0)
      await this.#supervisor.within(Promise.allSettled(this.#hanging), 'is still busy with an earlier batch')
    const answer = call()
    let isOver = false
    const over = (): void => {
      isOver = true
      this.#hanging.delete(answer)
    }
    answer.then(over, over)
    try {
      return await this.#supervisor.within(answer, 'did not answer')
    } catch (error) {
      if (!isOver) this.#hanging.add(answer)
      throw error
    }
  }
}

/** A wrong answer must count neither as delivered nor as refused. */
function checkedOutcomes(supervisor: Supervisor, { count }: TaskBatch, outcomes: unknown): readonly Outcome[] {
  if (Array.isArray(outcomes) && outcomes.length === count && outcomes.every(isOutcome)) return outcomes
  const came = Array.isArray(outcomes) ? `${outcomes.length} outcomes came back` : 'no list of outcomes came back'
  const wrong = Array.isArray(outcomes) ? outcomes.find((outcome) => !isOutcome(outcome)) : undefined
  const which = wrong === undefined ? '' : `, one of them ${JSON.stringify(wrong)}`
  return supervisor.fail(
    `${count} tasks were given, ${came}${which}`,
    'Its `deliver` must return one outcome a task, in order: "delivered", "duplicate" or {refused: reason}.',
  )
}

const isOutcome = (outcome: unknown): outcome is Outcome =>
  outcome === 'delivered' ||
  outcome === 'duplicate' ||
  (isObject(outcome) && 'refused' in outcome && typeof outcome.refused === 'string')

function checkedPosition(supervisor: Supervisor, position: SinkPosition | undefined): SinkPosition | undefined {
  const isOne = isObject(position) && Number.isSafeInteger(position.seq) && typeof position.taskId === 'string'
  supervisor.must(
    position === undefined || isOne,
    `\`position\` gave ${shown(position)}`,
    'It is {seq: a whole number, taskId: "text", runId?: "text"}, or undefined.',
  )
  return position
}

/** Calls one plugin, and waits for it so long as it may take. */
class Supervisor {
  readonly terms: Terms
  readonly #who: string
  /**
   * The calls that are waited for. One listener on the signal for all of them: Node links a signal's listeners, the
   * removed ones too, so that with one a call each would keep the next one's batch from the garbage collector.
   */
  readonly #waits = new Set<() => void>()

  constructor(kind: 'source' | 'sink', terms: Terms) {
    this.terms = terms
    this.#who = `${kind} ${terms.name}`
    terms.signal.addEventListener('abort', () => {
      for (const onAbort of this.#waits) onAbort()
    })
  }

  must(holds: boolean, rule: string, hint: string): void {
    if (!holds) this.fail(rule, hint)
  }

  fail(rule: string, hint: string): never {
    throw new ConfigurationError(`The ${this.#who} broke its contract: ${rule}.`, { hint })
  }

  mustHave(opened: object, method: string, hint: string): void {
    this.must(isObject(opened), `\`open\` gave ${shown(opened)}`, hint)
    const found: unknown = this.look(method, () => Reflect.get(opened, method))
    this.must(typeof found === 'function', `\`open\` gave an object without a function \`${method}\``, hint)
  }

  /** Reads a property, which may be a getter. */
  look<T>(property: string, read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw new ConfigurationError(
        `The ${this.#who} broke its contract: reading its \`${property}\` threw: ${toError(error).message}.`,
        { hint: 'What can fail belongs into `open`, `read` and `deliver`.', cause: error },
      )
    }
  }

  async open<T>(open: () => T | Promise<T>): Promise<T> {
    return this.within(this.ask(open, "couldn't be opened"), 'did not open')
  }

  /** Calls the plugin; an error that isn't owm's own gets the plugin's name. */
  async ask<T>(call: () => T | Promise<T>, what = 'failed'): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (isOwmError(error)) throw error
      throw new TransientError(`The ${this.#who} ${what}: ${toError(error).message}`, {
        hint: 'What is stored is safe: mend the cause and start again.',
        cause: error,
      })
    }
  }

  /** Waits so long as the plugin may take, and little longer once the run is interrupted. */
  async within<T>(work: Promise<T>, what: string): Promise<T> {
    const { timeoutMs, signal } = this.terms
    const afterAbortMs = Math.min(timeoutMs, graceMs)
    const hint = 'Look at what it talks to; its `timeoutMs` is the limit.'
    const deadline = new Deadline(
      signal.aborted ? afterAbortMs : timeoutMs,
      (ms) => new TransientError(`The ${this.#who} ${what} within ${ms / 1000} s.`, { hint }),
    )
    return this.#race(work, deadline, () => deadline.begin(afterAbortMs))
  }

  /** Asks for the next page: undefined once the signal aborts, for nobody waits for it any more. */
  async pull<T>(next: () => Promise<T>): Promise<T | undefined> {
    let stop: () => void = () => undefined
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined)
    })
    const late = (ms: number): Error => new TransientError(`it gave nothing for ${ms / 1000} s`)
    return this.#race(Promise.race([next(), stopped]), new Deadline(this.terms.timeoutMs, late), stop)
  }

  /** Closes a plugin; that it can't be closed, or hangs, changes nothing about the run. */
  async close(plugin: Source | Sink): Promise<void> {
    const deadline = new Deadline(closeMs, (ms) => new Error(`it took longer than ${ms / 1000} s`))
    try {
      await this.#race(
        this.ask(async () => plugin.close?.()),
        deadline,
        () => undefined,
      )
    } catch (error) {
      this.terms.log.warn({ err: toError(error) }, `the ${this.#who} could not be closed`)
    }
  }

  /** Waits for `work` or the deadline. One promise a call: both are let go of when either has come. */
  async #race<T>(work: Promise<T>, deadline: Deadline, onAbort: () => void): Promise<T> {
    this.#waits.add(onAbort)
    try {
      return await Promise.race([work, deadline.passed])
    } finally {
      deadline.end()
      this.#waits.delete(onAbort)
    }
  }
}

/** Rejects `passed` after a time, which can be set anew. */
class Deadline {
  readonly passed: Promise<never>
  #timer: NodeJS.Timeout | undefined
  #reject: (error: Error) => void = () => undefined
  readonly #error: (ms: number) => Error

  constructor(ms: number, error: (ms: number) => Error) {
    this.#error = error
    this.passed = new Promise((_, reject) => {
      this.#reject = reject
    })
    this.begin(ms)
  }

  begin(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#reject(this.#error(ms)), ms)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** A value in an error: short, and harmless whatever it is. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'function') return 'a function'
  if (isObject(value)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
