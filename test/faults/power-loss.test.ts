/**
 * What a power failure needs and SIGKILL can't show: that data is on the disk
 * before anybody is told of it. `strace` writes down every write and sync of
 * owm's whole process, and the order is checked from that alone:
 *
 * - a task goes to the sink only after the write-ahead log that holds it was synced
 * - the acknowledgement of a task is written only after the sink's file was synced
 * - a summary counts a task as persisted only after the sync
 * - the write-ahead log goes only after what came out of it was synced
 * - a new file's folder is synced, too: else its name may be gone
 *
 * The trace is Linux-only, so this file is. Without strace it fails: install it
 * (Debian, Ubuntu: apt-get install strace; Fedora: dnf install strace; Alpine: apk add strace; Arch: pacman -S strace).
 */
import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokenBuild, type Changes } from '../support/broken.js'
import { bin, folderWith } from '../support/cli.js'
import { isLinux } from '../support/conditions.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const run = promisify(execFile)

/** Small enough that SQLite keeps a batch on one page: each task is whole in one write. */
const batchSize = 5
const count = 60

const install =
  'Install strace: Debian, Ubuntu: apt-get install strace; Fedora: dnf install strace; Alpine: apk add strace.'

type Sink = 'jsonl' | 'redis-stream'

interface Traced {
  complaints: string[]
  /** How many calls of each kind the analysis saw: what it says is worth nothing without them. */
  seen: { logWrites: number; logSyncs: number; sinkWrites: number; sinkSyncs: number; acknowledgements: number }
}

let redis: RedisProcess
let streams = 0

/** Runs owm under strace and judges the order of its calls. */
async function trace(sink: Sink, commands: readonly string[], script = bin): Promise<Traced> {
  const folder = await folderWith({
    source: { use: 'simulated-db', count, pageSize: batchSize, latencyMs: 10 },
    sink:
      sink === 'jsonl'
        ? { use: sink, path: './tasks.jsonl' }
        : { use: sink, url: redis.url, stream: `power-loss-${++streams}` },
    outbox: { path: './outbox.db' },
    flush: { batchSize },
  })
  const file = join(folder, 'trace')
  const calls = 'openat,rename,pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync,unlink,unlinkat'
  const { PATH = '', HOME = '' } = process.env
  const lines: string[] = []
  for (const command of commands) {
    const strace = ['-f', '-qq', '-yy', '-s', '20000', '-e', `trace=${calls}`, '-e', 'signal=none', '-o', file]
    await run('strace', [...strace, process.execPath, script, ...command.split(' '), '--json'], {
      cwd: folder,
      env: { PATH, HOME, UV_USE_IO_URING: '0' },
      timeout: 50_000,
      maxBuffer: 1 << 26,
    })
    lines.push(...(await readFile(file, 'utf8')).split('\n'))
  }
  return judge(lines, {
    folder,
    outbox: join(folder, 'outbox.db'),
    isSink: (name) =>
      sink === 'jsonl'
        ? name === join(folder, 'tasks.jsonl')
        : name.startsWith('TCP') && name.endsWith(`:${redis.port}]`),
    syncsSink: sink === 'jsonl',
  })
}

// --- reading the trace ---

interface Call {
  name: string
  /** The file or socket of the first argument, as `strace -yy` names it. */
  target: string
  text: string
}

/** A call begins and ends; other threads' calls may stand between the two. */
type Event = { at: 'begin' | 'end'; call: Call; succeeded: boolean }

function eventsOf(lines: readonly string[]): Event[] {
  const events: Event[] = []
  const open = new Map<string, Call>()
  for (const line of lines) {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. \w+ resumed>/.test(rest)
    const call = resumed ? open.get(pid) : callOf(rest)
    if (!call) continue
    if (!resumed) events.push({ at: 'begin', call, succeeded: true })
    if (rest.endsWith('<unfinished ...>')) open.set(pid, call)
    else {
      open.delete(pid)
      events.push({ at: 'end', call, succeeded: !/\) = -1 \w+ \(.*\)$/.test(rest) })
    }
  }
  return events
}

function callOf(text: string): Call | undefined {
  const [, name, target = ''] = /^(\w+)\((?:\d+<((?:->|[^>])*)>|AT_FDCWD<[^>]*>)?/.exec(text) ?? []
  return name === undefined ? undefined : { name, target, text }
}

const idsIn = (text: string): string[] =>
  [...text.matchAll(/task_id\\":\\"([0-9a-f-]{36})\\"/g)].map(([, id = '']) => id)

/** The bytes that a call of the trace wrote: strace shows them as a C string. */
function bytesOf({ text }: Call): Buffer {
  const [, quoted = ''] = /"((?:[^"\\]|\\.)*)"/.exec(text) ?? []
  const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' }
  const plain = quoted.replace(/\\(?:([0-7]{1,3})|(.))/g, (_, octal: string | undefined, letter: string) =>
    octal === undefined ? (letters[letter] ?? letter) : String.fromCharCode(Number.parseInt(octal, 8)),
  )
  return Buffer.from(plain, 'latin1')
}

/**
 * `handed_seq`, where a database page holds the row of `state`: the record's header (its size, id: NULL, outbox_id:
 * text of 36 bytes, handed_seq, …) and then the UUID and the number. The header of an attachment, which has a UUID
 * too, is shorter.
 */
function ackedSeqIn(page: Buffer): number | undefined {
  const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
  const found = uuid.exec(page.toString('latin1'))
  if (!found) return undefined
  const textOf36 = 2 * 36 + 13
  const header = page.subarray(Math.max(0, found.index - 24), found.index)
  const start = header.indexOf(Buffer.from([0, textOf36]))
  const isState = start > 0 && header.readUInt8(start - 1) > 4
  const type = isState ? header[start + 2] : undefined
  if (type === 8 || type === 9) return type - 8
  return type !== undefined && type >= 1 && type <= 4 ? page.readUIntBE(found.index + 36, type) : undefined
}

// --- judging it ---

/** What was written, and how much of it survives a power failure. */
class Disk<Item> {
  readonly durable = new Set<Item>()
  readonly #written = new Set<Item>()
  readonly #syncing = new Map<Call, Item[]>()
  writes = 0
  syncs = 0

  get dirty(): boolean {
    return this.#written.size > 0
  }

  see({ at, call, succeeded }: Event, items: readonly Item[]): void {
    if (isSync(call)) {
      if (at === 'begin') this.#syncing.set(call, [...this.#written])
      else if (succeeded) {
        this.syncs++
        for (const item of this.#syncing.get(call) ?? []) {
          this.durable.add(item)
          this.#written.delete(item)
        }
      }
    } else if (at === 'end' && succeeded) {
      this.writes++
      for (const item of items) if (!this.durable.has(item)) this.#written.add(item)
    }
  }
}

const isMaking = ({ name, text }: Call): boolean => name === 'rename' || (name === 'openat' && text.includes('O_CREAT'))
const isSync = ({ name }: Call): boolean => name === 'fsync' || name === 'fdatasync'
const isWrite = ({ name }: Call): boolean => /^(p?writev?(64)?|send(to|msg))$/.test(name)

function judge(
  lines: readonly string[],
  at: { folder: string; outbox: string; isSink(name: string): boolean; syncsSink: boolean },
): Traced {
  const complaints = new Set<string>()
  const log = new Disk<string>()
  const tasks = new Disk<string>()
  const main = new Disk<Call>()
  const sent = new Set<string>()
  /** Files that were made, as long as their folder isn't synced. */
  const names = new Disk<string>()
  let acknowledgements = 0

  for (const event of eventsOf(lines)) {
    const { call } = event
    const begins = event.at === 'begin'
    if (isMaking(call) && !begins && event.succeeded) {
      for (const made of [at.outbox, `${at.outbox}-wal`, join(at.folder, 'tasks.jsonl')])
        if (call.text.includes(`"${made}"`)) names.see(event, [made])
    } else if (call.name.startsWith('unlink')) {
      if (begins && call.text.includes(`"${at.outbox}-wal"`) && main.dirty)
        complaints.add('the write-ahead log is removed before the outbox is synced')
    } else if (!isSync(call) && !isWrite(call)) {
      // reads nothing of interest
    } else if (call.target === at.folder) names.see(event, [])
    else if (call.target === `${at.outbox}-wal`) {
      log.see(event, idsIn(call.text))
      const acked = begins && isWrite(call) ? ackedSeqIn(bytesOf(call)) : undefined
      if (acked !== undefined && acked > 0) {
        acknowledgements++
        if (acked > sent.size) complaints.add('acknowledged before it is sent')
        if (at.syncsSink && acked > tasks.durable.size) complaints.add("acknowledged before the sink's file is synced")
      }
    } else if (call.target === at.outbox) main.see(event, [call])
    else if (at.isSink(call.target)) {
      const ids = idsIn(call.text)
      tasks.see(event, ids)
      if (!begins || ids.length === 0) continue
      if (ids.some((id) => !log.durable.has(id))) complaints.add('sent before it is durable')
      if (names.durable.size < 2) complaints.add('sent before the folder of the outbox is synced')
      for (const id of ids) sent.add(id)
    } else if (begins && /^write\(1</.test(call.text)) {
      const [, persisted = '0'] = /\\"persisted\\": (\d+)/.exec(call.text) ?? []
      if (Number(persisted) > log.durable.size) complaints.add('counted as persisted before it is durable')
    }
  }
  return {
    complaints: [...complaints],
    seen: {
      logWrites: log.writes,
      logSyncs: log.syncs,
      sinkWrites: sent.size / batchSize,
      sinkSyncs: tasks.syncs,
      acknowledgements,
    },
  }
}

describe.runIf(isLinux)('a power failure', () => {
  beforeAll(async () => {
    const { error, stdout, stderr, status } = spawnSync('strace', ['-V'], { encoding: 'utf8' })
    if (error || status !== 0)
      throw new Error(`strace is needed to see what is synced (${error?.message ?? stdout + stderr}). ${install}`)
    redis = await startRedisProcess()
  })
  afterAll(() => redis?.stop())

  test.each<{ sink: Sink; commands: string[] }>([
    { sink: 'jsonl', commands: ['produce'] },
    { sink: 'jsonl', commands: ['produce --no-flush', 'flush'] },
    { sink: 'redis-stream', commands: ['produce'] },
    { sink: 'redis-stream', commands: ['produce --no-flush', 'flush'] },
  ])('takes nothing that was sent or counted: $commands, $sink', async ({ sink, commands }) => {
    const { complaints, seen } = await trace(sink, commands)
    expect(complaints).toEqual([])
    expect(seen.logWrites).toBeGreaterThan(count / batchSize)
    expect(seen.logSyncs).toBeGreaterThan(count / batchSize / 2)
    expect(seen.sinkWrites).toBe(count / batchSize)
    expect(seen.acknowledgements).toBeGreaterThan(0)
    if (sink === 'jsonl') expect(seen.sinkSyncs).toBe(count / batchSize)
  })

  const synchronous = (level: string): Changes => ({
    'synchronous-full': (statement) => statement.replace('FULL', level),
    'durability-verified': '',
  })

  test.each<{ what: string; sink: Sink; command?: string; changes: Changes; complaint: string }>([
    ...['OFF', 'NORMAL'].flatMap((level) =>
      (['jsonl', 'redis-stream'] as const).map((sink) => ({
        what: `synchronous = ${level}, ${sink}`,
        sink,
        changes: synchronous(level),
        complaint: 'sent before it is durable',
      })),
    ),
    {
      what: 'synchronous = OFF, nothing is delivered',
      sink: 'jsonl',
      command: 'produce --no-flush',
      changes: synchronous('OFF'),
      complaint: 'counted as persisted before it is durable',
    },
    {
      what: "the sink's file is not synced",
      sink: 'jsonl',
      changes: { 'file-synced': '' },
      complaint: "acknowledged before the sink's file is synced",
    },
  ])('is noticed: $what', async ({ sink, command = 'produce', changes, complaint }) => {
    const { complaints } = await trace(sink, [command], await brokenBuild(changes))
    expect(complaints).toContain(complaint)
  })
})
