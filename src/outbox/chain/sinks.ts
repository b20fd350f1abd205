/**
 * Which sinks this outbox knows, and its attachments to them.
 *
 *     raised (a new epoch and word, durable) --the sink takes it--> attached --> placed
 *
 * A word that the sink knows and this file doesn't is another file's: one of them is a copy. Words are kept for long,
 * since a failover may bring back any of them.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, LessThanOrEqual } from 'typeorm'
import type { Attachment } from '../../plugin.js'
import type { Database } from '../sqlite/database.js'
import { attachments, type SinkRow, sinkRows, states } from '../sqlite/entities.js'
import type { OutboxState } from '../state.js'

/** Attachments whose words are remembered. */
const attachmentsKept = 10_000

/** A sink that is known, in the words of the file. */
export interface KnownSink {
  readonly id: number
  readonly addresses: readonly string[]
  readonly sinkIds: readonly string[]
}

export class Sinks {
  readonly #database: Database
  readonly #state: OutboxState
  #known: KnownSink[]
  /** The id that is offered to a sink without one, where its address isn't known. */
  readonly #fresh = randomUUID()

  private constructor(database: Database, state: OutboxState, known: KnownSink[]) {
    this.#database = database
    this.#state = state
    this.#known = known
  }

  static async of(database: Database, state: OutboxState): Promise<Sinks> {
    return new Sinks(database, state, await database.inTurn(knownIn))
  }

  get known(): readonly KnownSink[] {
    return this.#known
  }

  /** The sink at this address, or with this id. */
  find(address: string, sinkId?: string): KnownSink | undefined {
    return (
      this.#known.find(({ sinkIds }) => sinkId !== undefined && sinkIds.includes(sinkId)) ??
      this.#known.find(({ addresses }) => addresses.includes(address))
    )
  }

  /** The id that the sink at this address gets where it has none. */
  idFor(address: string): string {
    return this.find(address)?.sinkIds.at(-1) ?? this.#fresh
  }

  /** A new attachment, which this file remembers before any sink hears of it. Throws SupersededError. */
  async raiseEpoch(): Promise<Attachment> {
    const word = randomUUID()
    const work = async (manager: EntityManager): Promise<number> => {
      const raised = this.#state.epoch + 1
      await manager.insert(attachments, { epoch: raised, word })
      await manager.update(states, { id: 1 }, { epoch: raised })
      await manager.delete(attachments, { epoch: LessThanOrEqual(raised - attachmentsKept) })
      return raised
    }
    const epoch = await this.#database.transaction(work, (raised) => {
      this.#state.epoch = raised
    })
    return { outboxId: this.#state.outboxId, epoch, word }
  }

  /** Whether this file made the attachment that a sink names. */
  async remembers({ epoch, word }: { epoch: number; word: string }): Promise<boolean> {
    return this.#database.inTurn((manager) => manager.existsBy(attachments, { epoch, word }))
  }

  /** Notes what a sink is called and where it was met, as a part of a transaction. Returns its row's id. */
  async note(manager: EntityManager, known: KnownSink | undefined, address: string, sinkId: string): Promise<number> {
    const addresses = JSON.stringify([...new Set([...(known?.addresses ?? []), address])])
    const sinkIds = JSON.stringify([...(known?.sinkIds ?? []).filter((id) => id !== sinkId), sinkId])
    if (!known) await manager.insert(sinkRows, { addresses, sinkIds })
    else await manager.update(sinkRows, { id: known.id }, { addresses, sinkIds })
    this.#known = await knownIn(manager)
    return this.find(address, sinkId)?.id ?? 0
  }
}

async function knownIn(manager: EntityManager): Promise<KnownSink[]> {
  const rows = await manager.find(sinkRows, { order: { id: 'ASC' } })
  return rows.map((row: SinkRow) => ({ id: row.id, addresses: list(row.addresses), sinkIds: list(row.sinkIds) }))
}

function list(json: string): string[] {
  const texts: unknown = JSON.parse(json)
  return Array.isArray(texts) ? texts.map(String) : []
}
