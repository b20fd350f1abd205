/**
 * A worker: takes tasks from the stream, does each once, and says when an hour is whole.
 *
 *     node worker.ts [--group NAME] [--pipeline NAME] [--once]      (Node 22 or newer; else `npx tsx worker.ts`)
 *
 * Needs ioredis. OWM_REDIS_URL names the server. --pipeline reports that pipeline's whole slots, --once ends when
 * all tasks are done or dead.
 */
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'

interface Task {
  task_id: string
  latitude_deg: number
  longitude_deg: number
  city: string
}

interface Receipt {
  shards: number
  firstEntry: string | null
  lastEntry: string | null
}

type Entry = [id: string, fields: string[]]

const stream = 'owm-ingestion-stream'
/** A worker that holds a task for longer has died: this must exceed the time of any task. It takes one at a time. */
const silentMs = 60_000
/** After this many attempts, those of workers that died included, a task is dead. */
const mostAttempts = 5
/** A task that comes again within this time is skipped. */
const rememberedS = 2 * 86_400

const { values: options } = parseArgs({
  options: {
    group: { type: 'string', default: 'workers' },
    pipeline: { type: 'string' },
    once: { type: 'boolean', default: false },
  },
})
const { group, pipeline, once } = options
const redis = new Redis(process.env['OWM_REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const name = `${hostname()}-${process.pid}`
/** Entry id -> task, of the tasks that were given up. */
const dead = `{${stream}}:dead:${group}`

/** Here: ask the weather API, store what it says. An error leaves the task to the next attempt. */
async function fetchWeather({ task_id, city }: Task): Promise<void> {
  console.log('did', task_id, city)
}

/** A task may come again: after a crash of this worker, or if owm delivers a lost stream again. */
async function work([id, [, data = '']]: Entry): Promise<void> {
  const task: Task = JSON.parse(data)
  const done = `{${stream}}:done:${group}:${task.task_id}`
  if (!(await redis.exists(done))) {
    // A task that kills its worker gets no further than this.
    if ((await attemptsAt(id)) > mostAttempts) throw new Error('each worker that tried it died')
    await fetchWeather(task)
    await redis.set(done, 1, 'EX', rememberedS)
  }
  await redis.xack(stream, group, id)
}

/** How often a worker got the entry, this time included; 0 if no worker holds it. */
async function attemptsAt(id: string): Promise<number> {
  const [held] = (await redis.xpending(stream, group, id, id, 1)) as [string, string, number, attempts: number][]
  return held?.[3] ?? 0
}

/** Leaves the entry with this worker, to be claimed in a minute; after the last attempt, sets it aside. */
async function failed([id, [, data = '']]: Entry, error: unknown): Promise<void> {
  const isDead = (await attemptsAt(id)) >= mostAttempts
  if (isDead) await redis.multi().hset(dead, id, data).xack(stream, group, id).exec()
  console.error(isDead ? 'dead' : 'failed', id, error)
}

/** Entries are ordered by time, then by number. */
function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((id) => id.split('-').map(Number))
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0)
}

/** The slots whose tasks the group has done: all shards have a receipt, and none of their tasks is left or dead. */
async function wholeSlots(pipeline: string): Promise<string[]> {
  const slots = new Map<string, Receipt[]>()
  for (const [field, text] of Object.entries(await redis.hgetall(`{${stream}}:owm:receipts:${pipeline}`))) {
    const [slot = ''] = field.split(' ')
    slots.set(slot, [...(slots.get(slot) ?? []), JSON.parse(text)])
  }
  const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][]
  const own = groups.find((pairs) => pairs[pairs.indexOf('name') + 1] === group) ?? []
  const read = String(own[own.indexOf('last-delivered-id') + 1])
  const whole: string[] = []
  for (const [slot, receipts] of [...slots].sort()) {
    const ends = receipts.flatMap(({ firstEntry, lastEntry }) => [firstEntry, lastEntry]).filter((id) => id !== null)
    const [first = '0-0', last = first] = [ends.sort(compare)[0], ends.at(-1)]
    if (receipts.length !== receipts[0]?.shards || compare(read, last) < 0) continue
    if ((await redis.xpending(stream, group, '-', last, 1)).length > 0) continue
    // Checked last: a task moves from the pending to the dead in one step.
    if (!(await redis.hkeys(dead)).some((id) => compare(first, id) <= 0 && compare(id, last) <= 0)) whole.push(slot)
  }
  return whole
}

/** An entry that a worker that died or a failed attempt left behind; if there is none, a new one. */
async function nextTask(): Promise<Entry | undefined> {
  // Each call looks at ten pending entries, from the cursor on.
  const claimed = await redis.xautoclaim(stream, group, name, silentMs, cursor, 'COUNT', 1)
  const [next, [left]] = claimed as [string, Entry[]]
  cursor = next
  if (left) return left
  const found = await redis.xreadgroup('GROUP', group, name, 'COUNT', 1, 'BLOCK', 1_000, 'STREAMS', stream, '>')
  return (found as [string, Entry[]][] | null)?.[0]?.[1][0]
}

await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM').catch((error: Error) => {
  if (!error.message.startsWith('BUSYGROUP')) throw error
})
let cursor = '0-0'
const reported = new Set<string>()
for (;;) {
  const entry = await nextTask()
  if (entry)
    await work(entry).catch((error: unknown) => {
      if (redis.status !== 'ready') throw error
      return failed(entry, error)
    })
  for (const slot of pipeline === undefined ? [] : await wholeSlots(pipeline)) {
    if (!reported.has(slot)) console.log('whole', slot)
    reported.add(slot)
  }
  // Entries that failed, or that a worker that died holds, come again.
  if (once && !entry && (await redis.xpending(stream, group))[0] === 0) break
}
redis.disconnect()
