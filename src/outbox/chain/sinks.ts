/**
 * Which sinks this outbox knows, and its attachments to them.
 *
 *     raised (a new epoch and word, durable) --the sink takes it--> attached --> placed
 *
 * A word under which a fence was placed and that this file doesn't know is another file's: one of them is a copy. Words
 * are kept for long, since a failover may bring back any of them. The epoch is raised when the outbox is opened, too,
 * before anything is stored: where a fence stands at a task that was stored behind the next raise, the file was copied
 * in between, and that task is the other one's.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, LessThanOrEqual, MoreThan } from 'typeorm'
import type { Attachment } from '../../plugin.js'
import type { Database } from '../sqlite/database.js'
import { attachments, sinkRows, states } from '../sqlite/entities.js'
import type { OutboxState } from '../state.js'
import { isOwed } from './open-runs.js'

/** Attachments whose words are remembered. */
const attachmentsKept = 10_000

/** A sink that is known, in the words of the file. */
export interface KnownSink {
  readonly id: number
  readonly addresses: readonly string[]
  readonly sinkIds: readonly string[]
  /** It gets the tasks behind this `seq`. */
  readonly fromSeq: number
  /** How far it was delivered when another sink took its place. */
  readonly ackedSeq: number
}

/** What is noted of a sink that was met. */
interface Meeting {
  readonly known: KnownSink | undefined
  readonly address: string
  /** '' where it has none. */
  readonly sinkId: string
  /** It gets the tasks behind this `seq`, where that is decided now. */
  readonly fromSeq?: number | undefined
}

/**
 * Where it was met last, without a scheme: a URL as it is configured may be a secret as a whole, and isn't shown.
 * Without user and password either, which a plugin should have left out.
 */
export const shownAddress = ({ addresses }: Pick<KnownSink, 'addresses'>): string =>
  (addresses.at(-1) ?? '').replace(/^[a-z]+:\/\/([^/]*@)?/, '')

export class Sinks {
  readonly #database: Database
  readonly #state: OutboxState
  /** As the file has them. */
  known: readonly KnownSink[]
  /** The id that is offered to a sink without one, where its address isn't known. */
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

  /** The sink at this address, or with this id. */
  find(address: string, sinkId?: string): KnownSink | undefined {
    return (
      this.known.find(({ sinkIds }) => sinkId !== undefined && sinkIds.includes(sinkId)) ??
      this.known.find(({ addresses }) => addresses.includes(address))
    )
  }

  /** The id that the sink at this address gets where it has none. */
  idFor(address: string): string {
    return this.find(address)?.sinkIds.at(-1) ?? this.#fresh
  }

  /**
   * A new attachment, which this file remembers before any sink hears of it; with it, who holds the outbox from now on.
   * Throws SupersededError.
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
   * Notes that the tasks that are stored from here on are for the sink at an address, before there are any: where it is
   * another one than the present, and has to be met yet. False where tasks for the present one stand against it.
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
   * Notes what a sink is called and where it was met; where it takes the place of another one, also how far that is. A
   * part of a transaction. Returns its row's id.
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
