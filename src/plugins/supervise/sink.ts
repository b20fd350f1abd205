/** Supervises a sink. */
import type { Attached, Outcome, Sink, SinkPosition, TaskBatch } from '../../plugin.js'
import { Batch } from '../../tasks/batch.js'
import { isObject } from '../../tasks/json/tree.js'
import { superviseContents, superviseDoctor } from './answers.js'
import { Supervisor, type Terms, valueInWords } from './supervisor.js'

/** Opens a sink; from then on its answers and their timing are checked. */
export async function superviseSink(terms: Terms, open: () => Sink | Promise<Sink>): Promise<Sink> {
  const supervisor = new Supervisor('sink', terms)
  const sink = await supervisor.open(open)
  supervisor.mustHave(sink, 'deliver', 'Its `open` must give {guarantee, deliver(batch), position?, close?}.')
  const guarantee = supervisor.look('guarantee', () => sink.guarantee)
  const usesStandardOutput = supervisor.look('usesStandardOutput', () => sink.usesStandardOutput) === true
  const position = supervisor.look('position', () => sink.position?.bind(sink))
  supervisor.must(
    guarantee === 'exactly-once' || guarantee === 'at-least-once',
    `its \`guarantee\` was ${valueInWords(guarantee)}`,
    'It is "exactly-once" where a batch that comes again adds nothing, else "at-least-once".',
  )
  const maxInFlight = inFlightOf(supervisor, sink)
  const address = supervisor.look('address', () => sink.address)
  const calls = new Calls(supervisor)
  return {
    guarantee,
    usesStandardOutput,
    maxInFlight,
    ...(typeof address === 'string' ? { address } : {}),
    get evicted() {
      const evicted = supervisor.look('evicted', () => sink.evicted)
      supervisor.must(
        evicted === undefined || (Number.isSafeInteger(evicted) && evicted >= 0),
        `its \`evicted\` was ${valueInWords(evicted)}`,
        'It is a whole number, 0 or more.',
      )
      return evicted ?? 0
    },
    async deliver(batch) {
      const answer = () => supervisor.ask(() => sink.deliver(ownCopy(batch)))
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
    ...superviseRest(supervisor, sink),
    close: () => supervisor.close(sink),
  }
}

/** A copy for one call: some sinks take `tasks` apart with `splice`, and a retry needs all of them again. */
const ownCopy = (batch: TaskBatch): Batch => new Batch(batch, Buffer.from(batch.bytes), [...batch.starts])

/** Calls of a sink. Those that didn't answer in time must end before another one begins. */
class Calls {
  readonly #supervisor: Supervisor
  readonly #hanging = new Set<Promise<unknown>>()

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor
  }

  async make<T>(call: () => Promise<T>): Promise<T> {
    if (this.#hanging.size > 0)
      await this.#supervisor.within(Promise.allSettled(this.#hanging), 'did not finish an earlier batch')
    const answer = call()
    let isSettled = false
    const onSettled = (): void => {
      isSettled = true
      this.#hanging.delete(answer)
    }
    answer.then(onSettled, onSettled)
    try {
      return await this.#supervisor.within(answer, 'did not answer')
    } catch (error) {
      if (!isSettled) this.#hanging.add(answer)
      throw error
    }
  }
}

/** A wrong answer must count neither as delivered nor as refused. */
function checkedOutcomes(supervisor: Supervisor, { count }: TaskBatch, outcomes: unknown): readonly Outcome[] {
  // Each is read once, since it may come from a getter. Unlike `every`, `findIndex` doesn't skip holes.
  const given: unknown[] = Array.isArray(outcomes)
    ? supervisor.look('outcomes', () => Array.from(outcomes, readOnce))
    : []
  const wrong = given.findIndex((outcome) => !isOutcome(outcome))
  if (given.length === count && given.every(isOutcome)) return given
  const received = Array.isArray(outcomes) ? `${given.length} outcomes came back` : 'no list of outcomes came back'
  const which = wrong < 0 ? '' : `, one of them ${valueInWords(given[wrong])}`
  return supervisor.fail(
    `${count} tasks were given, ${received}${which}`,
    'Its `deliver` must return one outcome a task, in order: "delivered", "duplicate" or {refused: reason}.',
  )
}

const readOnce = (outcome: unknown): unknown =>
  isObject(outcome) && 'refused' in outcome ? { refused: outcome.refused } : outcome

const isOutcome = (outcome: unknown): outcome is Outcome =>
  outcome === 'delivered' ||
  outcome === 'duplicate' ||
  (isObject(outcome) && 'refused' in outcome && typeof outcome.refused === 'string')

function inFlightOf(supervisor: Supervisor, sink: Sink): number {
  const given = supervisor.look('maxInFlight', () => sink.maxInFlight)
  if (given === undefined) return supervisor.look('takesTwo', () => sink.takesTwo) === true ? 2 : 1
  supervisor.must(
    Number.isSafeInteger(given) && given >= 1,
    `its \`maxInFlight\` was ${valueInWords(given)}`,
    'It is a whole number, 1 or more.',
  )
  return given
}

/** The optional parts of a sink. */
function superviseRest(supervisor: Supervisor, sink: Sink): Partial<Sink> {
  const attach = supervisor.look('attach', () => sink.attach?.bind(sink))
  const place = supervisor.look('place', () => sink.place?.bind(sink))
  const receipt = supervisor.look('receipt', () => sink.receipt?.bind(sink))
  const check = supervisor.look('check', () => sink.check?.bind(sink))
  supervisor.must(
    (attach === undefined) === (place === undefined),
    `it has ${attach ? 'an `attach` without a `place`' : 'a `place` without an `attach`'}`,
    'It has both or neither.',
  )
  const within = <T>(call: () => Promise<T>, what: string): Promise<T> => supervisor.within(supervisor.ask(call), what)
  return {
    ...(attach && {
      attach: async (...given) => checkedAttached(supervisor, await within(() => attach(...given), 'did not attach')),
    }),
    ...(place && { place: (...given) => within(() => place(...given), 'did not place its fence') }),
    ...(receipt && { receipt: (...given) => within(() => receipt(...given), 'did not write a receipt') }),
    ...(check && { check: () => within(() => check(), 'did not end its check') }),
    ...superviseDoctor(supervisor, sink),
    ...superviseContents(supervisor, sink),
  }
}

function checkedAttached(supervisor: Supervisor, attached: Attached): Attached {
  const isValid = isObject(attached) && typeof attached.sinkId === 'string' && attached.sinkId !== ''
  supervisor.must(
    isValid && (attached.fence === undefined || Number.isSafeInteger(attached.fence.seq)),
    `\`attach\` gave ${valueInWords(attached)}`,
    'It is {sinkId: "text", fence?: {seq, taskId, epoch, word, placedBy?}, generation?, created?, emptied?}.',
  )
  return attached
}

function checkedPosition(supervisor: Supervisor, position: SinkPosition | undefined): SinkPosition | undefined {
  const isValid = isObject(position) && Number.isSafeInteger(position.seq) && typeof position.taskId === 'string'
  supervisor.must(
    position === undefined || isValid,
    `\`position\` gave ${valueInWords(position)}`,
    'It is {seq: a whole number, taskId: "text", runId?: "text"}, or undefined.',
  )
  return position
}
