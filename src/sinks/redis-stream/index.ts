/**
 * A Redis Stream. The whole batch goes in one script call, which also records
 * how far this outbox got (the fence): a batch that is sent again adds only
 * what is missing. So the hand-over is exactly-once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Command, Redis } from 'ioredis'
import { z } from 'zod'
import {
  ConfigurationError,
  FenceError,
  isDistrusted,
  SinkFullError,
  TransientError,
  toError,
} from '../../errors/index.js'
import { defineSink, type Outcome, type Sink, type SinkPosition, type TaskBatch } from '../../plugin.js'
import { Utf8 } from '../../tasks/bytes.js'
import { taskIdOf } from '../../tasks/id.js'

const timeout = z.number().int().min(1).max(3_600_000)

const options = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\//, 'a URL that starts with redis:// or rediss:// is expected')
    .refine((url) => URL.canParse(url) && /^\/?\d*$/.test(new URL(url).pathname), {
      message:
        'redis://user:password@host:port/db is expected; in user and password write / as %2F, : as %3A, @ as %40',
      when: ({ value }) => String(value).startsWith('redis'),
    })
    .default('redis://127.0.0.1:6379')
    .describe('the server: redis://user:password@host:port/db, or rediss:// for TLS')
    .meta({ secret: true }),
  stream: z.string().min(1).default('owm-ingestion-stream').describe('key of the stream'),
  maxLength: z.number().int().min(1).default(100_000).describe('bound of the stream in entries, trimmed approximately'),
  onFull: z
    .enum(['trim', 'hold'])
    .default('trim')
    .describe(
      'what happens to entries that a consumer group has not read: trim pushes them out and says how many, hold keeps the new tasks in the outbox',
    ),
  connectTimeoutMs: timeout.default(15_000).describe('longest time to connect, in milliseconds'),
  commandTimeoutMs: timeout.default(5_000).describe('longest time for an answer, in milliseconds'),
  healthCheckTimeoutMs: timeout.default(3_000).describe('longest time for the first PING, in milliseconds'),
})

/**
 * KEYS: stream, fence. ARGV: bound, policy, first seq, the fence as the client
 * knows it (`seq:task_id` or empty), run id, then the tasks.
 *
 * Answers {added, skipped, unread entries pushed out}, or {'full', entries to
 * push out}, or {'fence', what is there}. The fence is a hash: seq and task of
 * the last task taken, run, and the id of that run's first entry.
 *
 * MULTI would not do: it doesn't roll back, and can't skip what is there already.
 * A group's lag: https://redis.io/docs/latest/commands/xinfo-groups/
 */
const script = `
local stream, fence = KEYS[1], KEYS[2]
local bound, policy, first, known, run = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local offset = 5
local count = #ARGV - offset
local held = redis.call('HMGET', fence, 'seq', 'task', 'run', 'from')
local seq = tonumber(held[1] or 0)
local there = held[1] and (held[1] .. ':' .. held[2]) or ''

local skip = 0
if there == known then
  -- guard: fence-skips
  skip = math.max(0, math.min(count, seq - first + 1))
elseif seq >= first and seq < first + count and held[3] == run and string.sub(ARGV[offset + seq - first + 1], 13, 48) == held[2] then
  skip = seq - first + 1
else
  return {'fence', there}
end
if skip == count then return {0, skip, 0} end

local function after(a, b)
  local ams, aseq = string.match(a, '(%d+)-(%d+)')
  local bms, bseq = string.match(b, '(%d+)-(%d+)')
  if ams ~= bms then return tonumber(ams) > tonumber(bms) end
  return tonumber(aseq) > tonumber(bseq)
end

local length = redis.pcall('XLEN', stream)
if type(length) == 'table' then return length end
local from = held[3] == run and held[4] or nil
local victims, read, lag = {}, nil, nil
local over = length + count - skip - bound
if over > 0 and length > 0 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local said = {}
    for i = 1, #group, 2 do said[group[i]] = group[i + 1] end
    local id = said['last-delivered-id']
    if not read or after(read, id) then read, lag = id, said['lag'] end
  end
  -- The slowest group's lag (Redis 7, where it is sure) says that all of them were read: to look at them takes longer than to add a batch.
  if not (read and lag and over <= length - lag) then
    victims = redis.call('XRANGE', stream, '-', '+', 'COUNT', over)
    -- The oldest come first: what is true of any of them is true of the last one.
    local last = victims[#victims][1]
    local unread = read and after(last, read)
    local own = from and (unread or not read) and not after(from, last)
    if own or (policy == 'hold' and unread) then return {'full', over} end
  end
end

-- The bound as text and all names local: a number is printed anew for each call, a global is looked up. A fifth of the time.
local xadd, type, tasks, maxlen = redis.pcall, type, ARGV, ARGV[1]
for i = skip + 1, count do
  local id = xadd('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'data', tasks[offset + i])
  if type(id) == 'table' then
    if i > skip + 1 then
      redis.call('HSET', fence, 'seq', first + i - 2, 'task', string.sub(ARGV[offset + i - 1], 13, 48), 'run', run, 'from', from)
    end
    return id
  end
  from = from or id
end
-- guard: fence-moves
redis.call('HSET', fence, 'seq', string.format('%d', first + count - 1), 'task', string.sub(ARGV[offset + count], 13, 48), 'run', run, 'from', from)

-- Whole nodes go, so fewer entries than the bound asked for.
local gone = length + count - skip - redis.call('XLEN', stream)
local unread = 0
for i = math.min(gone, #victims), 1, -1 do
  if not (read and after(victims[i][1], read)) then break end
  unread = unread + 1
end
return {count - skip, skip, unread}
`

export default defineSink({
  name: 'redis-stream',
  description: 'a Redis Stream, exactly once, in atomic batches',
  options,
  open(settings, { log, signal }): Sink {
    const { stream, maxLength } = settings
    const fenceOf = (outboxId: string): string => `{${stream}}:owm:${outboxId}`
    let client: Redis | undefined
    let connecting: Promise<Redis> | undefined
    /** The fence as this client knows it. */
    let known = ''
    /** What the fence will be when all that is under way is done. */
    let expected: string | undefined
    /** The first `seq` of each batch that failed: nothing behind it may be added before it is. */
    const failed = new Set<number>()
    /** Resolves when a batch that goes in parts is through. */
    let parts: Promise<void> | undefined
    let evicted = 0
    /** Memory of commands that were answered, and so were sent: to touch new memory takes as long as to fill it. */
    const spare: Utf8[] = []
    // A signal ends every wait at once: whether a batch was applied, the fence knows.
    signal.addEventListener('abort', () => drop(client), { once: true })

    // Two batches may ask at once: they share one connection.
    async function connection(): Promise<Redis> {
      if (!connecting && client?.status === 'ready') return client
      connecting ??= reconnected().finally(() => {
        connecting = undefined
      })
      return connecting
    }

    async function reconnected(): Promise<Redis> {
      drop(client)
      client = await connect(settings, signal)
      return client
    }

    async function ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
      const redis = await connection()
      try {
        signal.throwIfAborted()
        return await question(redis)
      } catch (error) {
        if (!isReply(error)) {
          // It may be dead, and ioredis calls it ready until the other side has closed it: the next attempt takes another one.
          drop(redis)
          if (client === redis) client = undefined
        }
        throw classed(error, settings.url)
      }
    }

    async function add(batch: TaskBatch): Promise<Outcome[]> {
      const { firstSeq } = batch
      const { count } = batch
      const fence = expected ?? known
      const end = firstSeq + count - 1
      // Where the fence is further on already (batches sent before a crash, and not acknowledged), it stays there.
      const after = Number.parseInt(fence, 10) >= end ? fence : `${end}:${taskIdOf(batch.tasks[count - 1] ?? '')}`
      expected = after
      const words = [
        script,
        2,
        stream,
        fenceOf(batch.outboxId),
        maxLength,
        settings.onFull,
        firstSeq,
        fence,
        batch.runId,
      ]
      const memory = spare.pop() ?? new Utf8(0)
      const answer = await ask(async (redis) => redis.sendCommand(new EvalOfTasks(words, batch, memory)))
      spare.push(memory)
      const [added, skipped, unread] = Array.isArray(answer) ? answer : []
      if (added === 'fence')
        throw new FenceError(`The stream ${stream} holds the fence "${skipped}", but "${fence}" was expected.`)
      if (added === 'full')
        throw new SinkFullError(
          `The stream ${stream} is full (bound ${maxLength}): adding ${count} tasks would push out entries that nobody has read yet.`,
          {
            hint: 'Let the consumers catch up (or raise sink.maxLength), then run `owm flush`.',
          },
        )
      if (typeof added !== 'number' || typeof skipped !== 'number' || typeof unread !== 'number')
        throw new TransientError(`Redis answered something unexpected: ${JSON.stringify(answer)}`)
      known = after
      if (unread > 0) {
        evicted += unread
        log.warn({ stream, entries: unread }, 'the bound pushed out entries that a consumer group had not read')
      }
      return new Array<Outcome>(count).fill('delivered').fill('duplicate', 0, skipped)
    }

    return {
      guarantee: 'exactly-once',
      get evicted() {
        return evicted
      },
      takesTwo: true,
      async deliver(batch) {
        await parts
        // The fence alone doesn't show it: to the server, what comes behind a batch that never arrived looks like the next one.
        for (const firstSeq of failed)
          if (firstSeq < batch.firstSeq)
            throw new TransientError(`The batch at ${firstSeq}, before this one, has failed.`)
        // More than the bound at once would push out itself: it goes in parts, and what comes behind it waits.
        const outcomes: Outcome[] = []
        const count = batch.count
        let done = (): void => undefined
        if (count > maxLength) parts = new Promise((resolve) => (done = resolve))
        try {
          for (let from = 0; from < count; from += maxLength)
            outcomes.push(...(await add(batch.slice(from, from + maxLength))))
          failed.delete(batch.firstSeq)
          return outcomes
        } catch (error) {
          failed.add(batch.firstSeq)
          expected = undefined
          throw error
        } finally {
          done()
        }
      },
      async position(outboxId): Promise<SinkPosition | undefined> {
        expected = undefined
        failed.clear()
        const [seq, taskId, runId] = await ask((redis) => redis.hmget(fenceOf(outboxId), 'seq', 'task', 'run'))
        if (!seq || !taskId) {
          known = ''
          return undefined
        }
        known = `${seq}:${taskId}`
        return { seq: Number(seq), taskId, ...(runId ? { runId } : {}) }
      },
      async close() {
        drop(client)
      },
    }
  },
})

const endOfLine = Buffer.from('\r\n')

/**
 * EVAL with the tasks as its last arguments, copied from a batch's bytes. As
 * strings they were cut, joined and encoded, which took longer than to hand them over.
 */
class EvalOfTasks extends Command {
  readonly #tasks: TaskBatch
  readonly #memory: Utf8

  constructor(words: (string | number)[], tasks: TaskBatch, memory: Utf8) {
    super('eval', words, { replyEncoding: 'utf8' })
    this.#tasks = tasks
    this.#memory = memory
  }

  /** An array of bulk strings: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
  override toWritable(socket: object): Buffer {
    const { bytes: text, count } = this.#tasks
    const head = String(super.toWritable(socket)).replace(/^\*\d+/, `*${1 + this.args.length + count}`)
    const bytes = this.#memory
    bytes.end = 0
    bytes.reserve(3 * head.length + text.length + count * '$1000000\r\n\r\n'.length)
    bytes.text(head)
    putTasks(this.#tasks, bytes)
    const { buffer, byteOffset, byteLength } = bytes.written()
    return Buffer.from(buffer, byteOffset, byteLength)
  }
}

/** `$251\r\n`, by length: those of most tasks differ by a few bytes. */
const heads: Buffer[] = []

/** Bulk strings, a task each. A function of its own, since V8 takes a core for 10 ms to optimise what it is part of, and Redis needs it. */
function putTasks({ bytes: text, starts }: TaskBatch, bytes: Utf8): void {
  for (let index = 1; index < starts.length; index++) {
    const [from = 0, next = 0] = [starts[index - 1], starts[index]]
    const length = next - 2 - from
    const head = heads[length] ?? Buffer.from(`$${length}\r\n`)
    if (length < 1_000) heads[length] = head
    bytes.put(head)
    bytes.copy(text, from, next - 2)
    bytes.put(endOfLine)
  }
}

type Settings = z.output<typeof options>

/** One connection, healthy or an error. ioredis' own retries and queues are off: they are owm's. */
async function connect(settings: Settings, signal: AbortSignal): Promise<Redis> {
  // SELECT is sent below: ioredis' own, after a refused AUTH, is a rejection that nobody can handle.
  const url = new URL(settings.url)
  const db = url.pathname.slice(1)
  url.pathname = ''
  const redis = new Redis(url.href, {
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false, // PING says it, and needs no right to INFO
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: settings.connectTimeoutMs,
    commandTimeout: settings.commandTimeoutMs,
    disableClientInfo: true, // connect() would wait for it, longer than for the PING
  })
  // What the server said explains more than the broken connection after it.
  let trouble: Error | undefined
  redis.on('error', (error: Error) => {
    if (!isReply(trouble)) trouble = error
  })
  try {
    await endedBy(signal, redis, () => redis.connect())
    // A server that has too many clients says so before it is asked, and closes: read that before a write fails.
    await nextTurn()
    await nextTurn()
    if (db !== '') await redis.select(Number(db))
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error('PING timed out')), settings.healthCheckTimeoutMs).unref(),
    )
    await endedBy(signal, redis, () => Promise.race([redis.ping(), late]))
    await nextTurn()
    if (trouble) throw trouble // a wrong password: where the default user has none, the PING was answered all the same
    redis.client('SETNAME', 'owm').catch(() => undefined) // for CLIENT LIST; a user may lack the right to it
    return redis
  } catch (error) {
    drop(redis)
    throw classed(trouble ?? error, settings.url)
  }
}

/** Closes a connection. Where it is closed already, ioredis would set a timer that keeps the process for 2 s. */
function drop(redis: Redis | undefined): void {
  if (redis && redis.status !== 'end' && redis.status !== 'close') redis.disconnect()
}

/** Runs `work`; a signal closes the connection, which ends every wait on it. */
async function endedBy<T>(signal: AbortSignal, redis: Redis, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const stop = (): void => drop(redis)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/** Redis' own error codes (the first word of an error reply) that a retry can't mend. */
const configurationCodes: Readonly<Record<string, string>> = {
  NOAUTH: 'Put the user and the password into sink.url or OWM_REDIS_URL.',
  WRONGPASS: 'Correct the user or the password in sink.url or OWM_REDIS_URL.',
  NOPERM: "Give the user +eval +ping +hmget +hset +xadd +xlen +xrange +xinfo on the stream's keys (ACL SETUSER).",
  WRONGTYPE: 'The key is used for something else: correct sink.stream.',
}

/** Redis' error codes that pass, with what an operator can do meanwhile. */
const transientCodes: Readonly<Record<string, string>> = {
  LOADING: 'The server is reading its data set; it will answer when it has.',
  READONLY: 'This server is a replica: name the new master, or wait for the failover to end.',
  OOM: 'The server has reached its maxmemory: free memory or raise the limit; the tasks wait in the outbox.',
  MISCONF: "The server can't write its snapshot to disk and refuses writes: look at its log and its disk.",
  BUSY: 'A script keeps the server busy.',
  MASTERDOWN: 'The replica has lost its master.',
  NOREPLICAS: 'Too few replicas are connected for min-replicas-to-write.',
  CLUSTERDOWN: 'The cluster is down.',
  MAXCLIENTS: 'Raise maxclients on the server, or close other connections; the tasks wait in the outbox.',
}

/** The code of an error reply: its first word. Redis 7 gives some of them only as words after a bare ERR. */
function codeOfReply(message: string): string {
  if (/^ERR (The user executing the script can't|ACL failure in script)/.test(message)) return 'NOPERM'
  if (message.startsWith('ERR max number of clients')) return 'MAXCLIENTS'
  return message.split(' ', 1)[0] ?? ''
}

/** What Redis, or the way to it, says, as one of owm's classes. The address is named without its credentials. */
function classed(thrown: unknown, url: string): Error {
  const error = toError(thrown)
  const { host } = new URL(url)
  if (isReply(error)) {
    const code = codeOfReply(error.message)
    const fix = configurationCodes[code]
    if (fix) return new ConfigurationError(`Redis at ${host} refused: ${error.message}`, { hint: fix, cause: error })
    const hint = transientCodes[code]
    return new TransientError(`Redis at ${host} answered: ${error.message}`, {
      hint: hint ?? 'The tasks wait in the outbox: mend the cause, then run `owm flush`.',
      cause: error,
    })
  }
  if (isDistrusted(error))
    return new ConfigurationError(`The TLS certificate of Redis at ${host} is not trusted: ${error.message}`, {
      hint: 'Name its authority in NODE_EXTRA_CA_CERTS, or correct the host name.',
      cause: error,
    })
  return new TransientError(`Redis at ${host} can't be reached: ${error.message}`, {
    hint: 'Look whether the server runs and the address is right; the tasks wait in the outbox.',
    cause: error,
  })
}
