/**
 * The sinks that this outbox knows, and its attachments to them.
 *
 *     raised (a new epoch and word, durable) --the sink takes it--> attached --> placed
 *
 * If this file doesn't know the word under which a fence was placed, another file placed it: one of them is a copy.
 * Words are kept for long, since a failover may bring back old fences. The epoch is also raised when the outbox is
 * opened, before anything is stored: if a fence is at a task that was stored after the next raise, the file was copied
 * in between, and that task is the other file's.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, LessThanOrEqual, MoreThan } from 'typeorm'
import type { Attachment } from '../../plugin.js'
import type { Database } from '../sqlite/database.js'
import { attachments, type SinkRow, sinkRows, states } from '../sqlite/entities.js'
import type { OutboxState } from '../state.js'
import { isOwed } from './open-runs.js'

/** Attachments whose words are remembered. */
const attachmentsKept = 10_000

/** See SinkRow. */
export type KnownSink = Readonly<SinkRow>

/** What is noted of a sink that was met. */
interface Meeting {
  readonly known: KnownSink | undefined
  readonly address: string
  /** '' if it has none. */
  readonly sinkId: string
  /** It gets the tasks after this `seq`, if that is decided now. */
  readonly fromSeq?: number | undefined
}

/**
 * Its latest address without the scheme: with it, it may equal a configured URL, which may be a secret and wouldn't be
 * shown. Also without user and password, which a plugin should have left out.
 */
export const shownAddress = ({ addresses }: Pick<KnownSink, 'addresses'>): string =>
  (addresses.at(-1) ?? '').replace(/^[a-z]+:\/\/([^/]*@)?/, '')

export class Sinks {
  readonly #database: Database
  readonly #state: OutboxState
  /** As the file has them. */
  known: readonly KnownSink[]
  /** The id offered to a sink without one, at an unknown address. */
  readonly #fresh = randomUUID()

  private constructor(database: Database, state: OutboxState, known: KnownSink[]) {
    this.#database = database
    this.#state = state
    this.known = known
  }

  static async of(database: Database, state: OutboxState): Promise<Sinks> {
    return new Sinks(database, state, await database.inTurn(knownIn))
  }

  /** The sink that the acknowledged seq is about. */
  get present(): KnownSink | undefined {
    return this.known.find(({ id }) => id === this.#state.sink)
  }

  /** The sink with this id, or else at this address. */
  find(address: string, sinkId?: string): KnownSink | undefined {
    return (
      this.known.find(({ sinkIds }) => sinkId !== undefined && sinkIds.includes(sinkId)) ??
      this.known.find(({ addresses }) => addresses.includes(address))
    )
  }

  /** The id that the sink at this address gets if it has none. */
  idFor(address: string): string {
    return this.find(address)?.sinkIds.at(-1) ?? this.#fresh
  }

  /**
   * A new attachment, stored in this file before any sink gets it. With a new holder, who holds the outbox is stored,
   * too. Throws SupersededError.
   */
  async raiseEpoch(holder?: string): Promise<Attachment> {
    const word = randomUUID()
    const state = this.#state
    const work = async (manager: EntityManager): Promise<number> => {
      const raised = state.epoch + 1
      await manager.insert(attachments, { epoch: raised, word, lastSeq: state.lastSeq })
      await manager.update(states, { id: 1 }, { epoch: raised, ...(holder === undefined ? {} : { holder }) })
      await manager.delete(attachments, { epoch: LessThanOrEqual(raised - attachmentsKept) })
      return raised
    }
    const epoch = await this.#database.transaction(work, (raised) => {
      state.epoch = raised
    })
    const { outboxId, formerId } = state
    return { outboxId, epoch, word, ...(formerId === null ? {} : { formerId }) }
  }

  /** Whether this file placed a fence under this word, and had stored the task where it stands. */
  async placed({ word, seq }: { word: string; seq: number }): Promise<boolean> {
    return this.#database.inTurn(async (manager) => {
      const [own] = await manager.find(attachments, { where: { word } })
      if (!own) return false
      const [next] = await manager.find(attachments, {
        where: { epoch: MoreThan(own.epoch) },
        order: { epoch: 'ASC' },
        take: 1,
      })
      // guard: copied-while-running
      if (next && next.lastSeq !== null && seq > next.lastSeq) return false
      return true
    })
  }

  /** A sink has placed this outbox under its present id. */
  async endFormer(): Promise<void> {
    const state = this.#state
    if (state.formerId === null) return
    await this.#database.transaction(
      (manager) => manager.update(states, { id: 1 }, { formerId: null }),
      () => {
        state.formerId = null
      },
    )
  }

  /**
   * Notes, before any are stored, that the tasks from here on are for the sink at an address, if that is another one
   * than the present. False if the present one has yet to get tasks.
   */
  async announce(address: string): Promise<boolean> {
    const state = this.#state
    const { next } = state
    const isPresent = this.known.length === 0 || this.present?.addresses.includes(address) === true
    if (isPresent ? next === null : next?.address === address) return true
    if (!isPresent && (await isOwed(this.#database, state))) return false
    const noted = isPresent ? null : { address, fromSeq: state.lastSeq }
    await this.#database.transaction(
      (manager) => manager.update(states, { id: 1 }, { next: noted }),
      () => {
        state.next = noted
      },
    )
    return true
  }

  /**
   * Notes a sink's id and address; if it takes the place of another one, also how far that one had got. Part of a
   * transaction. Returns its row id.
   */
  async note(manager: EntityManager, { known, address, sinkId, fromSeq }: Meeting): Promise<number> {
    const { sink: present, acked } = this.#state
    if (present !== null && known?.id !== present)
      await manager.update(sinkRows, { id: present }, { ackedSeq: acked.seq })
    const addresses = [...new Set([...(known?.addresses ?? []), address])]
    const ids = [...(known?.sinkIds ?? []).filter((id) => id !== sinkId), sinkId]
    const sinkIds = ids.filter((id) => id !== '')
    const named = { addresses, sinkIds, ...(fromSeq === undefined ? {} : { fromSeq }) }
    if (known) {
      await manager.update(sinkRows, { id: known.id }, named)
      return known.id
    }
    await manager.insert(sinkRows, named)
    return (await manager.maximum(sinkRows, 'id')) ?? 0
  }
}

export const knownIn = (manager: EntityManager): Promise<KnownSink[]> =>
  manager.find(sinkRows, { order: { id: 'ASC' } })
