/**
 * Random schedules: real processes on two outboxes and one stream, and whatever may happen to a sink or a file between
 * any two of their steps. In the end each task is in the stream once, or was read from it.
 *
 * OWM_TEST_SCHEDULES=1000  how many
 * OWM_TEST_SEED=17          that one alone
 */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { randomFrom, slotAt } from '../../support/faults.js'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const { OWM_TEST_SCHEDULES = '3', OWM_TEST_SEED } = process.env
const first = Number(OWM_TEST_SEED ?? 1)
const last = Number(OWM_TEST_SEED ?? OWM_TEST_SCHEDULES)

const crash = join(import.meta.dirname, '..', '..', 'support', 'crash.mjs')
const steps = [
  ...['run:started', 'intake:written', 'epoch:raised', 'sink:attached', 'sink:compared', 'sink:placed'],
  ...['batch:sent', 'batch:answered', 'batch:acknowledged', 'acknowledgement:written', 'receipt:written'],
]
const count = 60
const moves = 12

interface Outbox {
  readonly file: string
  /** The slots that this file was told to serve. */
  slots: string[]
  /** Those that its copy knows, once there is one. */
  copied: string[] | undefined
}

class Schedule {
  readonly log: string[] = []
  readonly #scene: Scene
  readonly #random: () => number
  readonly #outboxes: Outbox[] = ['a.db', 'b.db'].map((file) => ({ file, slots: [], copied: undefined }))
  /** Readers that remove what they read, or files that are restored: both together double by design. */
  readonly #hasReaders: boolean
  readonly #read = new Set<string>()
  #hour = 0
  #hasSnapshot = false
  #isRunning = false

  constructor(scene: Scene, seed: number) {
    this.#scene = scene
    this.#random = randomFrom(seed)
    this.#hasReaders = seed % 2 === 0
  }

  async run(): Promise<void> {
    for (let n = 0; n < moves; n++) await this.#move()
    this.#scene.proxy.repair()
    for (const outbox of this.#outboxes) await this.#finish(outbox)
    for (const outbox of this.#outboxes) await this.#finish(outbox)
    await this.#check()
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  #one<T>(of: readonly T[]): T {
    const item = of[this.#below(of.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }

  async #move(): Promise<void> {
    if (this.#random() < 0.4) return this.#happen(this.#one(this.#events()))
    const outbox = this.#one(this.#outboxes)
    if (this.#random() < 0.3) {
      const [script, n] = [this.#one(['add', 'attach', 'place', 'receipt']), 1 + this.#below(5)]
      const event = this.#one(this.#events())
      const fault = this.#one(['drop-reply', 'reset', 'late', 'event'] as const)
      this.log.push(`at ${script} ${n} from now: ${fault === 'event' ? event.name : fault}`)
      this.#scene.proxy.onNextNamed(script, n, fault === 'event' ? { before: () => this.#happen(event) } : fault)
    }
    const isFlush = this.#random() < 0.25
    const args = isFlush ? ['flush'] : ['produce', '--slot', this.#slotFor(outbox)]
    const kill = this.#random() < 0.5 ? `${this.#one(steps)}:${1 + this.#below(4)}` : undefined
    await this.#owm(outbox, args, kill)
  }

  /** A new slot, or the last one again. */
  #slotFor(outbox: Outbox): string {
    const again = outbox.slots.at(-1)
    if (again !== undefined && this.#random() < 0.3) return again
    const slot = slotAt(this.#hour++)
    outbox.slots.push(slot)
    return slot
  }

  async #owm({ file }: Outbox, args: readonly string[], kill?: string): Promise<number | null> {
    this.#isRunning = true
    const { code, signal, stderr } = await this.#scene.owm([...args, '--outbox', file], {
      ...(kill === undefined ? {} : { node: ['--import', crash], env: { OWM_CRASH_AT: kill } }),
    })
    this.#isRunning = false
    this.log.push(`${file}: ${args.join(' ')}${kill === undefined ? '' : ` (killed at ${kill})`}: ${signal ?? code}`)
    if (signal === null && code !== 0) this.log.push(stderr.slice(-600))
    return code
  }

  async #happen(event: () => Promise<unknown>): Promise<void> {
    this.log.push(event.name)
    await event()
  }

  #events(): (() => Promise<unknown>)[] {
    const { admin, redis, proxy } = this.#scene
    const dump = join(redis.directory, 'dump.rdb')
    const streamDeleted = () => admin.del(stream)
    const streamRenamed = () => admin.rename(stream, `elsewhere-${this.#below(1e6)}`).catch(() => undefined)
    const fencesDeleted = async () => {
      for (const key of await admin.keys(`{${stream}}:owm:????????-????-????-????-????????????`)) await admin.del(key)
    }
    const allKeysDeleted = () => admin.flushall()
    const lateRequests = () => proxy.sendLate()
    const snapshot = async () => {
      await admin.save()
      await copyFile(dump, `${dump}.older`)
      this.#hasSnapshot = true
    }
    const failover = async () => {
      if (!this.#hasSnapshot) return
      await redis.kill('SIGKILL')
      await copyFile(`${dump}.older`, dump)
      await redis.restart()
    }
    const restartWithoutDisk = async () => {
      await redis.kill('SIGKILL')
      await rm(dump, { force: true })
      await redis.restart()
    }
    const readerTookAll = async () => {
      for (const id of await this.#ids()) this.#read.add(id)
      await admin.xtrim(stream, 'MAXLEN', 0)
    }
    const restored = () => this.#copyOrRestore()
    return [
      ...[streamDeleted, streamRenamed, fencesDeleted, allKeysDeleted, lateRequests],
      ...[snapshot, snapshot, failover, failover, restartWithoutDisk],
      this.#hasReaders ? readerTookAll : restored,
      this.#hasReaders ? readerTookAll : restored,
    ]
  }

  async #copyOrRestore(): Promise<void> {
    if (this.#isRunning) return
    const outbox = this.#one(this.#outboxes)
    const path = (suffix: string): string => join(this.#scene.folder, `${outbox.file}${suffix}`)
    const isRestored = outbox.copied !== undefined
    for (const suffix of ['', '-wal']) {
      const [from, to] = isRestored ? [path(`.kept${suffix}`), path(suffix)] : [path(suffix), path(`.kept${suffix}`)]
      await rm(to, { force: true })
      await copyFile(from, to).catch(() => undefined)
    }
    if (isRestored) await rm(path('-shm'), { force: true })
    this.log.push(`${outbox.file} is ${isRestored ? 'restored' : 'copied'}`)
    if (outbox.copied) outbox.slots = outbox.copied
    outbox.copied = isRestored ? undefined : [...outbox.slots]
  }

  async #finish(outbox: Outbox): Promise<void> {
    if (outbox.slots.length === 0) return
    const slot = outbox.slots.at(-1) ?? ''
    for (let tries = 0; tries < 3; tries++) if ((await this.#owm(outbox, ['produce', '--slot', slot])) === 0) return
    expect.fail(`${outbox.file} does not end well:\n${this.log.join('\n')}`)
  }

  async #ids(): Promise<string[]> {
    const entries = await this.#scene.admin.xrange(stream, '-', '+')
    return entries.map(([, [, task = '{}']]) => {
      const { task_id: id }: { task_id: string } = JSON.parse(task)
      return id
    })
  }

  async #check(): Promise<void> {
    const ids = await this.#ids()
    const told = this.log.join('\n')
    expect(ids.length - new Set(ids).size, `tasks that are there twice:\n${told}`).toBe(0)
    const there = new Set([...ids, ...this.#read])
    for (const { file, slots } of this.#outboxes)
      for (const slot of slots) {
        const { json } = await this.#scene.owmJson<{ tasks: { task: { task_id: string } }[] }>([
          ...['outbox', 'inspect', '--state', 'delivered', '--limit', '100000', '--outbox', file],
        ])
        const wanted = json.tasks.map(({ task }) => task.task_id)
        expect(wanted.length, `${file} ${slot}\n${told}`).toBeGreaterThanOrEqual(slots.length * count)
        expect(wanted.filter((id) => !there.has(id)).length, `tasks of ${file} that are missing:\n${told}`).toBe(0)
        break
      }
  }
}

for (let seed = first; seed <= last; seed++)
  test(`schedule ${seed}`, { timeout: 120_000 }, async () => {
    const scene = await redisScene({ count, settings: { flush: { batchSize: 10 }, retry: { attempts: 4 } } })
    await new Schedule(scene, seed).run()
  })
