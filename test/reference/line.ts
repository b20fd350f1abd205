/** A process' way to the server: it ends with the process. */
import { setImmediate as turn } from 'node:timers/promises'
import { ConfigurationError, SinkFullError, TransientError } from '../../src/errors/index.js'
import type { Outcome, Sink, TaskBatch } from '../../src/plugin.js'
import { read, type Server, wordOf } from './server.js'

/** What becomes of a request that is under way when the process dies. */
export type InFlight = 'lost' | 'arrives' | 'late'

export class Line {
  readonly #server: Server
  /** Of the requests that are under way when the process dies; undefined while it lives. */
  #cut: { fate: InFlight; requests: number } | undefined

  constructor(server: Server) {
    this.#server = server
  }

  /** The process dies; so many of its requests may still arrive, one after the other. */
  cut(fate: InFlight, requests: number): void {
    this.#cut = { fate, requests }
  }

  open(): Sink {
    const server = this.#server
    if (server.kind === 'none')
      return { guarantee: 'at-least-once', deliver: (batch) => this.#ask(() => server.deliver(batch, '')) }
    return server.kind === 'position' ? this.#positioned() : this.#chained()
  }

  #chained(): Sink {
    const server = this.#server
    let seen: string | undefined
    return {
      guarantee: 'exactly-once',
      address: 'scripted',
      maxInFlight: server.maxInFlight,
      deliver: (batch) => this.#ask(() => server.deliver(batch, '')),
      attach: (attachment, sinkId) => {
        seen = undefined
        return this.#ask(() => server.attach(attachment, sinkId))
      },
      place: (attachment, at, generation = 0) => this.#ask(() => server.place(attachment, at, generation, seen)),
      receipt: (attachment, receipt, brought) => this.#ask(() => server.receipt(attachment, receipt, brought)),
      taskIds: () => {
        const all = (): Promise<readonly string[]> => this.#ask(() => server.entries)
        return (async function* () {
          const entries = await all()
          seen = entries.at(-1)
          yield* entries.toReversed()
        })()
      },
    }
  }

  #positioned(): Sink {
    const server = this.#server
    let known = ''
    return {
      guarantee: 'exactly-once',
      deliver: async (batch: TaskBatch): Promise<Outcome[]> => {
        const sent = known
        const outcomes = await this.#ask(() => server.deliver(batch, sent))
        const last = batch.tasks.at(-1)
        const end = batch.firstSeq + batch.tasks.length - 1
        if (last !== undefined && (outcomes.includes('delivered') || Number.parseInt(known, 10) < end || known === ''))
          known = `${end}:${read(last).id}`
        return outcomes
      },
      position: async (outboxId) => {
        const position = await this.#ask(() => server.position(outboxId))
        known = wordOf(position)
        return position
      },
    }
  }

  async #ask<T>(request: () => T): Promise<T> {
    const server = this.#server
    // Nothing leaves a dead process; one that dies at `batch:sent` dies with the request under way.
    if (this.#cut?.requests === 0) throw new Error('dead')
    const before = server.entries.length
    for (const arrives of server.late.splice(0)) arrives()
    for (const id of server.entries.slice(before)) server.cameLate.add(id)
    const fault = server.faults.shift() ?? 'none'
    if (fault === 'before') throw new TransientError('reset before the request')
    if (fault === 'full') throw new SinkFullError('full')
    if (fault === 'configuration') throw new ConfigurationError('NOAUTH')
    if (fault === 'lose' && server.canLose) server.lose(1)
    if (!this.#cut) await turn()
    if (!this.#cut) {
      const answer = request()
      await turn()
      if (fault === 'after') throw new TransientError('the answer was lost')
      return answer
    }
    const arrive = (): void => {
      try {
        request()
      } catch {
        // Nobody is there to hear of it.
      }
    }
    if (this.#cut.requests-- <= 0) this.#cut.requests = 0
    else if (this.#cut.fate === 'arrives') arrive()
    else if (this.#cut.fate === 'late') server.late.push(arrive)
    throw new Error('dead')
  }
}
