/**
 * A Redis Stream. One script call adds a whole batch and moves the fence: a batch that is sent again adds only what is
 * missing, and one that doesn't follow the last task is refused. So delivery is exactly-once.
 *
 *     sink:
 *       use: redis-stream
 *       url: redis://127.0.0.1:6379
 *       stream: owm-ingestion-stream
 *       maxLength: 100000
 *       onFull: trim
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { ChangedError, SinkFullError } from '../../errors/index.js'
import {
  type Attached,
  type Attachment,
  type Brought,
  type Diagnosis,
  defineSink,
  type Entry,
  type Link,
  type Logger,
  type Outcome,
  type Patient,
  type Reading,
  type Receipt,
  type Sink,
  type SinkPicture,
  type SinkPosition,
  type TaskBatch,
} from '../../plugin.js'
import { joined } from '../../tasks/batch.js'
import { taskIdOf } from '../../tasks/id.js'
import { takenOver } from '../servers.js'
import { Connection } from './connection/index.js'
import { checkTypes, namingWrongKey } from './connection/wrong-type.js'
import { checks, examined } from './doctor/index.js'
import { forbidden, unexpected } from './errors.js'
import { allKeys, type Keys, keysOf } from './keys.js'
import { options, type Settings } from './options.js'
import { entriesOf, pagesBack, pictureOf, readingsOf, taskIdIn } from './picture.js'
import { receiptsIn, writeReceipt } from './receipts.js'
import { add } from './scripts/add.js'
import { attach } from './scripts/attach.js'
import { leave } from './scripts/leave.js'
import { place } from './scripts/place.js'
import { otherCommands } from './scripts/rights.js'
import { addressOf, type Way, wayOf } from './way.js'

export default defineSink({
  name: 'redis-stream',
  description: 'a Redis Stream, exactly once, in atomic batches',
  options,
  checks,
  address: addressOf,
  async open(settings, { log, signal, baseDir }): Promise<Sink> {
    const way = await wayOf(settings, baseDir)
    return new RedisStream(settings, way, new Connection(settings, way, signal, log), log)
  },
})

class RedisStream implements Sink {
  readonly guarantee = 'exactly-once'
  readonly maxInFlight = 2
  readonly address: string
  evicted = 0
  /** Trimmed entries that were logged so far, and whether there was a consumer group. */
  #logged = 0
  #hasGroup = false
  readonly #settings: Settings
  readonly #way: Way
  readonly #keys: Keys
  readonly #connection: Connection
  readonly #log: Logger
  /** The newest entry that `taskIds` has read since the last attachment: losses begin with the newest entries. */
  #newest = ''

  constructor(settings: Settings, way: Way, connection: Connection, log: Logger, keys = keysOf(settings.stream)) {
    this.#settings = settings
    this.#keys = keys
    this.#connection = connection
    this.#log = log
    this.#way = way
    this.address = addressOf(settings, way.baseDir)
  }

  async attach({ outboxId, epoch, word, formerId = '' }: Attachment, sinkId: string): Promise<Attached> {
    const { stream, mark, fence } = this.#keys
    const keys = [stream, fence(outboxId), mark, fence(formerId === '' ? outboxId : formerId)]
    this.#newest = ''
    const answer = await this.#run(attach, keys, [outboxId, epoch, word, sinkId, formerId])
    const [outcome, id, created, generation, heldEpoch, heldWord, ...fences] = answer
    if (outcome !== 'attached' && outcome !== 'superseded') throw unexpected(answer)
    const [own, former] = [fences.slice(0, fenceWords), fences.slice(fenceWords)]
    const last = { epoch: Number(heldEpoch), word: String(heldWord) }
    return {
      sinkId: String(id),
      created: created === 1,
      emptied: own[4] === 1,
      generation: Number(generation),
      superseded: outcome === 'superseded',
      fence: own[0] === '' ? undefined : { ...position(own), ...last, placedBy: String(own[3] || heldWord) },
      former: former.length === 0 || former[0] === '' || former[4] === 1 ? undefined : position(former),
    }
  }

  async place(
    { outboxId, epoch, word }: Attachment,
    { seq, taskId, runId = '' }: SinkPosition,
    generation = 0,
  ): Promise<void> {
    const { stream, mark, fence } = this.#keys
    const words = [outboxId, epoch, word, generation, this.#newest, seq, taskId, runId]
    const [outcome] = await this.#run(place, [stream, fence(outboxId), mark], words)
    if (outcome === 'superseded') throw takenOver(`the stream ${stream}`)
    if (outcome === 'changed')
      throw new ChangedError(`The stream ${stream} changed while it was compared.`, { hint: changedHint })
    if (outcome !== 'placed') throw unexpected(outcome)
  }

  async deliver(batch: TaskBatch): Promise<readonly Outcome[]> {
    if (!batch.link) throw new ChangedError('redis-stream takes a batch only behind another one.')
    // A batch larger than the bound would trim itself: it goes in parts, which the chain keeps in order.
    const { maxLength } = this.#settings
    const parts: Promise<Outcome[]>[] = []
    let link: Link = batch.link
    for (let from = 0; from < batch.count; from += maxLength) {
      const part = batch.slice(from, from + maxLength)
      const lastTask = taskIdOf(part.task(part.count - 1))
      parts.push(this.#add(part, link, lastTask))
      link = { ...link, after: { seq: part.lastSeq, taskId: lastTask } }
    }
    const answers = await Promise.allSettled(parts)
    return answers.flatMap((answer) => {
      if (answer.status === 'rejected') throw answer.reason
      return answer.value
    })
  }

  async #add(batch: TaskBatch, { epoch, word, after }: Link, lastTask: string): Promise<Outcome[]> {
    const { stream, maxLength, onFull } = this.#settings
    const { count, firstSeq, runId, slot } = batch
    const keys = [this.#keys.stream, this.#keys.fence(batch.outboxId), this.#keys.mark, this.#keys.slots]
    const words = [maxLength, onFull, epoch, word, after.seq, after.taskId, firstSeq, runId, slot, lastTask]
    // One argument with a task per line: an argument for each task would have to be made and counted.
    const answer = await this.#run(add, keys, [...words, batch.outboxId, joined(batch)])
    const [added, skipped, unread, hasGroup] = answer
    if (added === 'superseded') throw takenOver(`the stream ${stream}`)
    if (added === 'changed') throw changedAt(stream, after.seq, String(skipped))
    if (added === 'full') throw this.#full(count, answer)
    if (typeof added !== 'number' || typeof skipped !== 'number' || typeof unread !== 'number') throw unexpected(answer)
    if (unread > 0) this.#trimmed(unread, hasGroup === 1)
    return new Array<Outcome>(count).fill('delivered').fill('duplicate', 0, skipped)
  }

  #full(count: number, [, entries, group, behind, isOwnSlot]: readonly unknown[]): SinkFullError {
    const { stream, maxLength } = this.#settings
    const who =
      group === ''
        ? 'no consumer group exists to say that they were read'
        : `the group ${group}, which is ${behind} entries behind`
    const what = isOwnSlot === 1 ? "of this batch's own slot that nobody has read" : 'that nobody has read'
    const hint =
      group === ''
        ? 'Make a consumer group and read with it, or let plain readers remove what they have read (XDEL, XTRIM)'
        : `Let the group ${group} catch up, or remove it if nobody reads with it (XGROUP DESTROY)`
    return new SinkFullError(
      `The stream ${stream} is full (bound ${maxLength}): adding ${count} tasks would trim up to ${entries} entries ` +
        `${what}: ${who}.`,
      { hint: `${hint}, or raise sink.maxLength; then run \`owm flush\`.` },
    )
  }

  /** Warns the first time; `close` logs the total. */
  #trimmed(entries: number, hasGroup: boolean): void {
    this.evicted += entries
    this.#hasGroup = hasGroup
    if (this.#logged === 0) this.#warnOfTrimmed()
  }

  #warnOfTrimmed(): void {
    this.#logged = this.evicted
    const fields = { event: 'entries-trimmed', stream: this.#settings.stream, entries: this.evicted }
    if (this.#hasGroup) this.#log.warn(fields, 'the bound trimmed entries that a consumer group had not read')
    else
      this.#log.warn(fields, 'the bound trimmed entries; no consumer group exists: nobody knows whether they were read')
  }

  async *taskIds(): AsyncGenerator<string> {
    for await (const page of pagesBack(this.#connection, this.#keys.stream))
      for (const [id, fields] of page) {
        if (this.#newest === '') this.#newest = id
        const taskId = taskIdIn(fields)
        if (taskId !== '') yield taskId
      }
  }

  entries(first?: string, last?: string): AsyncGenerator<Entry> {
    return entriesOf(this.#connection, this.#keys.stream, first, last)
  }

  async readings(entry: string): Promise<readonly Reading[]> {
    return readingsOf(this.#connection, this.#keys.stream, entry)
  }

  async inspect(isQuick = false): Promise<SinkPicture> {
    return pictureOf(this.#connection, this.#settings, Date.now(), isQuick)
  }

  async position(outboxId: string): Promise<SinkPosition | undefined> {
    const [seq, taskId, runId] = await this.#connection.ask((redis) =>
      redis.hmget(this.#keys.fence(outboxId), 'seq', 'task', 'run'),
    )
    return seq && taskId ? position([seq, taskId, runId]) : undefined
  }

  async receipt(attachment: Attachment | undefined, receipt: Receipt, brought: Brought): Promise<void> {
    if (!attachment) throw new ChangedError('redis-stream takes a receipt only of an outbox that is attached.')
    const answer = await writeReceipt(this.#connection, this.#keys, attachment, receipt, brought)
    if (answer === 'changed')
      throw new ChangedError(`The stream ${this.#settings.stream} lacks tasks of ${receipt.slot}.`)
    if (answer === 'superseded') throw takenOver(`the stream ${this.#settings.stream}`)
  }

  async receipts(pipeline: string, slot?: string): Promise<readonly Receipt[]> {
    return receiptsIn(this.#connection, this.#keys, pipeline, slot)
  }

  /** Uses a mark and a fence of its own, and adds nothing to the stream. */
  async check(): Promise<void> {
    const id = randomUUID()
    const keys = { ...this.#keys, mark: this.#keys.fence(`check-${id}`) }
    const trial = new RedisStream(this.#settings, this.#way, this.#connection, this.#log, keys)
    const attachment = { outboxId: id, epoch: 1, word: id }
    const after = { seq: 0, taskId: '' }
    await checkTypes(this.#connection, this.#keys, [this.#keys.mark, this.#keys.slots])
    try {
      const { generation } = await trial.attach(attachment, id)
      await trial.place(attachment, after, generation)
      const { maxLength, onFull } = this.#settings
      const [added] = await this.#run(
        add,
        [keys.stream, keys.fence(id), keys.mark, keys.slots],
        [maxLength, onFull, attachment.epoch, id, after.seq, after.taskId, 1, '', '', '', id, ''],
      )
      if (added !== 0) throw unexpected(added)
    } finally {
      await this.#leave(keys, id)
    }
  }

  /** Removes what a check wrote under `id`. Throws ConfigurationError if this user lacks a right that a run needs. */
  async #leave(keys: Keys, id: string): Promise<void> {
    const all = allKeys(keys, id)
    const ask = (redis: Redis) => redis.eval(leave, all.length, ...all, ...otherCommands(this.#settings))
    const missing = await this.#connection.ask(ask)
    if (!Array.isArray(missing)) throw unexpected(missing)
    if (missing.length > 0) throw forbidden(missing.map(String), this.#connection.place)
  }

  async doctor(patient: Patient): Promise<readonly Diagnosis[]> {
    return examined(this.#connection, { settings: this.#settings, way: this.#way, keys: this.#keys }, patient)
  }

  async close(): Promise<void> {
    if (this.evicted > this.#logged) this.#warnOfTrimmed()
    this.#connection.close()
  }

  async #run(
    script: string,
    keys: readonly string[],
    words: readonly (string | number | Buffer)[],
  ): Promise<unknown[]> {
    const evaluate = (redis: Redis): Promise<unknown> => redis.eval(script, keys.length, ...keys, ...words)
    // `attach` decides nothing. `place` takes what is there for delivered, so the replicas must have that, too.
    const mustLast = script === add || script === place
    const answer = await namingWrongKey(this.#connection, this.#keys, keys, () =>
      mustLast ? this.#connection.write(evaluate) : this.#connection.ask(evaluate),
    )
    if (Array.isArray(answer)) return answer
    throw unexpected(answer)
  }
}

/** Values that `attach` answers for each fence. */
const fenceWords = 5

const position = ([seq, taskId, runId]: readonly unknown[]): SinkPosition => ({
  seq: Number(seq),
  taskId: String(taskId),
  ...(runId ? { runId: String(runId) } : {}),
})

const changedHint =
  'Somebody deletes the stream or what owm keeps beside it, a failover undid writes, or Redis makes room: ' +
  '`owm doctor` tells whether maxmemory-policy is noeviction, as it should be. Fix that, ' +
  'then run `owm flush`: the tasks wait in the outbox.'

/** The fence is at another task; or at the right one, but for a stream that is gone. */
const changedAt = (stream: string, seq: number, held: string): ChangedError =>
  held === String(seq)
    ? new ChangedError(`The stream ${stream} isn't the one that had task ${seq} of this outbox.`, {
        hint: changedHint,
      })
    : new ChangedError(`The stream ${stream} isn't at task ${seq} of this outbox, but at ${held || 'none'}.`, {
        hint: changedHint,
      })
