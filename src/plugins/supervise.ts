/**
 * Holds open plugins to their contract (src/plugin.ts): whatever one does instead
 * of what it promised ends in an error that names the plugin and the rule.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ConfigurationError, OwmError, TransientError, toError } from '../errors/index.js'
import { type Location, type LocationBatch, Malformed, type Sink, type SinkPosition, type Source } from '../plugin.js'

export interface Terms {
  /** As the configuration names the plugin. */
  name: string
  /** Milliseconds that it may take for an answer. */
  timeoutMs: number
  signal: AbortSignal
}

const batchShape = 'A batch is {locations: [{…}], resume: "text", position: (index) => "text"}.'

/** Opens a source; what it gives from then on is checked. Throws ConfigurationError for a breach, TransientError where it doesn't open. */
export async function heldSource(terms: Terms, open: () => Source | Promise<Source>): Promise<Source> {
  const party = new Party('source', terms)
  const source = await party.open(open)
  party.mustHave(
    source,
    'read',
    'Its `open` must give {read(resume), close?, total?}, and `read` is written as `async *read(resume) { … yield … }`.',
  )
  const total = party.look('total', () => source.total)
  return {
    // For the progress bar only: no reason to stop.
    total: typeof total === 'number' && total >= 0 ? total : undefined,
    read: (resume) => batches(party, source, resume),
    close: async () => source.close?.(),
  }
}

async function* batches(party: Party, source: Source, resume: string | undefined): AsyncGenerator<LocationBatch> {
  const { timeoutMs } = party.terms
  const given = source.read(resume)
  party.must(
    isObject(given) && Symbol.asyncIterator in given,
    `\`read\` gave ${shown(given)}`,
    'Write it as `async *read(resume) { … yield … }`.',
  )
  let emptySince: number | undefined
  for await (const batch of given) {
    const whole = checked(party, batch)
    if (whole.locations.length > 0) emptySince = undefined
    else {
      // Without this turn, batches of nothing would keep signals and timers from being heard.
      await nextTurn()
      emptySince ??= performance.now()
      if (performance.now() - emptySince > timeoutMs)
        throw new TransientError(`it gave nothing but empty batches for ${timeoutMs / 1000} s`)
    }
    yield whole
  }
}

function checked(party: Party, batch: LocationBatch): LocationBatch {
  party.must(isObject(batch), `it gave ${shown(batch)} instead of a batch`, batchShape)
  const locations = party.look('locations', () => batch.locations)
  const resume = party.look('resume', () => batch.resume)
  party.must(Array.isArray(locations), `the \`locations\` of a batch were ${shown(locations)}, not a list`, batchShape)
  party.must(typeof resume === 'string', `the \`resume\` of a batch was ${shown(resume)}, not text`, batchShape)
  party.must(
    typeof party.look('position', () => batch.position) === 'function',
    'a batch had no function `position`',
    batchShape,
  )
  return {
    // Bad input is quarantined, whoever let it through.
    locations: locations.every((location) => isObject(location)) ? locations : locations.map(objectOrMalformed),
    resume,
    position(index) {
      const place: unknown = party.look('position', () => batch.position(index))
      party.must(typeof place === 'string', `\`position\` gave ${shown(place)}, not text`, batchShape)
      return String(place)
    },
  }
}

const objectOrMalformed = (location: Location | Malformed): Location | Malformed =>
  isObject(location) ? location : new Malformed(shown(location), 'a location must be an object')

/** Opens a sink; how and when it answers from then on is checked. What became of each task is compared where it was sent. */
export async function heldSink(terms: Terms, open: () => Sink | Promise<Sink>): Promise<Sink> {
  const party = new Party('sink', terms)
  const sink = await party.open(open)
  party.mustHave(sink, 'deliver', 'Its `open` must give {guarantee, deliver(batch), position?, close?}.')
  const guarantee = party.look('guarantee', () => sink.guarantee)
  const usesStandardOutput = party.look('usesStandardOutput', () => sink.usesStandardOutput) === true
  const position = party.look('position', () => sink.position?.bind(sink))
  party.must(
    guarantee === 'exactly-once' || guarantee === 'at-least-once',
    `its \`guarantee\` was ${shown(guarantee)}`,
    'It is "exactly-once" where a batch that comes again adds nothing, else "at-least-once".',
  )
  const takesTwo = party.look('takesTwo', () => sink.takesTwo) === true
  /** The calls that didn't answer in time: they must end before another one begins. */
  const hanging = new Set<Promise<unknown>>()
  return {
    guarantee,
    usesStandardOutput,
    takesTwo,
    get evicted() {
      return sink.evicted
    },
    async deliver(batch) {
      if (hanging.size > 0) await party.within(Promise.allSettled(hanging), 'is still busy with an earlier batch')
      const answer = party.ask(() => sink.deliver(batch))
      if (usesStandardOutput) return answer // there the reader sets the pace
      let isOver = false
      const over = (): void => {
        isOver = true
        hanging.delete(answer)
      }
      answer.then(over, over)
      try {
        return await party.within(answer, 'did not answer')
      } catch (error) {
        if (!isOver) hanging.add(answer)
        throw error
      }
    },
    ...(position && {
      position: async (outboxId: string) =>
        known(
          party,
          await party.within(
            party.ask(() => position(outboxId)),
            'did not tell its position',
          ),
        ),
    }),
    close: async () => sink.close?.(),
  }
}

function known(party: Party, position: SinkPosition | undefined): SinkPosition | undefined {
  const isOne = isObject(position) && Number.isSafeInteger(position.seq) && typeof position.taskId === 'string'
  party.must(
    position === undefined || isOne,
    `\`position\` gave ${shown(position)}`,
    'It is {seq: a whole number, taskId: "text", runId?: "text"}, or undefined.',
  )
  return position
}

/** Milliseconds that a call may still take once the run was interrupted. */
const graceMs = 5_000

class Party {
  readonly terms: Terms
  readonly #who: string
  /**
   * The calls that are waited for. One listener on the signal for all of them: Node links a signal's listeners,
   * the removed ones too, so that with one a call each would keep the next one's batch from the garbage collector.
   */
  readonly #waits = new Set<(ms: number) => void>()

  constructor(kind: 'source' | 'sink', terms: Terms) {
    this.terms = terms
    this.#who = `The ${kind} ${terms.name}`
    terms.signal.addEventListener('abort', () => {
      for (const endIn of this.#waits) endIn(this.#patience)
    })
  }

  get #patience(): number {
    const { timeoutMs, signal } = this.terms
    return signal.aborted ? Math.min(timeoutMs, graceMs) : timeoutMs
  }

  must(holds: boolean, rule: string, hint: string): void {
    if (!holds) throw new ConfigurationError(`${this.#who} broke its contract: ${rule}.`, { hint })
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
        `${this.#who} broke its contract: reading its \`${property}\` threw: ${toError(error).message}.`,
        {
          hint: 'What can fail belongs into `open`, `read` and `deliver`.',
          cause: error,
        },
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
      if (error instanceof OwmError) throw error
      throw new TransientError(`${this.#who} ${what}: ${toError(error).message}`, {
        hint: 'What is stored is safe: mend the cause and start again.',
        cause: error,
      })
    }
  }

  /** Waits so long as the plugin may take, and little longer once the run is interrupted. */
  async within<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    let endIn = (_: number): void => undefined
    const late = new Promise<never>((_, reject) => {
      endIn = (ms) => {
        clearTimeout(timer)
        const hint = 'Look at what it talks to; its `timeoutMs` is the limit.'
        timer = setTimeout(
          () => reject(new TransientError(`${this.#who} ${what} within ${ms / 1000} s.`, { hint })),
          ms,
        )
      }
    })
    endIn(this.#patience)
    this.#waits.add(endIn)
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
      this.#waits.delete(endIn)
    }
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
