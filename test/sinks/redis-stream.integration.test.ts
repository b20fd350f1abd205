/** What workers find on the wire, read without ioredis and without owm's own code. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { owm, until } from '../support/cli.js'
import { startRedis, type TestRedis } from '../support/redis.js'

type Reply = Buffer | number | null | Reply[]

/** RESP2 by its specification: one request at a time, or whatever the server pushes. */
class RawRedis {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #failure: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    socket.on('error', (error) => {
      this.#failure = error
    })
  }

  static async to({ host, port }: TestRedis): Promise<RawRedis> {
    const socket = connect(port, host)
    await once(socket, 'connect')
    return new RawRedis(socket)
  }

  async ask(...words: string[]): Promise<Reply> {
    this.#socket.write(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    )
    return this.next()
  }

  async next(): Promise<Reply> {
    const { value, end } = await until(() => {
      if (this.#failure) throw this.#failure
      return this.#parse(0)
    })
    this.#received = this.#received.subarray(end)
    return value
  }

  close(): void {
    this.#socket.destroy()
  }

  #parse(at: number): { value: Reply; end: number } | undefined {
    const lineEnd = this.#received.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const kind = this.#received.toString('latin1', at, at + 1)
    const line = this.#received.subarray(at + 1, lineEnd)
    const end = lineEnd + 2
    if (kind === '+') return { value: line, end }
    if (kind === '-') throw new Error(line.toString())
    const size = Number(line)
    if (kind === ':') return { value: size, end }
    if (size < 0) return { value: null, end }
    if (kind === '$') {
      if (this.#received.length < end + size + 2) return undefined
      return { value: this.#received.subarray(end, end + size), end: end + size + 2 }
    }
    if (kind !== '*') throw new Error(`no RESP2: ${kind}`)
    const values: Reply[] = []
    let next = end
    for (let index = 0; index < size; index++) {
      const element = this.#parse(next)
      if (!element) return undefined
      values.push(element.value)
      next = element.end
    }
    return { value: values, end: next }
  }
}

const slot = '2026-11-23T10:00:00Z'

/** The entry that a location must become, built from the contract's table alone. */
function expectedEntry(key: string, fields: string): string {
  const digest = createHash('sha1')
    .update(Buffer.from('5c4d551c4dc75f888a0195d89657767d', 'hex'))
    .update(`${slot}\n${key}`)
    .digest()
    .subarray(0, 16)
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6)
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8)
  const id = digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return `{"task_id":"${id}",${fields}}`
}

/** Of a location that brings none of its own. */
const durations = '"forecast_duration_hours":72,"historical_duration_hours":72'

const places = [
  {
    location: { latitude: 48.13743, longitude: 11.57549, city: 'München', state: 'Bayern' },
    entry: expectedEntry(
      'at\n48.13743\n11.57549\nMünchen\nBayern',
      `"latitude_deg":48.13743,"longitude_deg":11.57549,"city":"München","state":"Bayern",${durations}`,
    ),
  },
  {
    location: {
      latitude: -33.45694,
      longitude: -70.64827,
      city: 'Santiago "SCL" \\ \t.',
      forecast_duration_hours: 24,
      historical_duration_hours: 0,
    },
    entry: expectedEntry(
      'at\n-33.45694\n-70.64827\nSantiago "SCL" \\ \t.\n',
      '"latitude_deg":-33.45694,"longitude_deg":-70.64827,"city":"Santiago \\"SCL\\" \\\\ \\t.","state":"",' +
        '"forecast_duration_hours":24,"historical_duration_hours":0',
    ),
  },
  {
    location: {
      id: 1850147,
      latitude: '35.6895',
      longitude: '139.69171',
      city: '東京 🗼',
      state: '東京都',
      countryCode: 'JP',
      population: 8336599,
    },
    entry: expectedEntry(
      'id\n1850147',
      `"latitude_deg":35.6895,"longitude_deg":139.69171,"city":"東京 🗼","state":"東京都",${durations}` +
        ',"location_id":1850147,"country_code":"JP","population":8336599',
    ),
  },
  {
    location: { latitude: -0, longitude: 1e-7, city: 'Null\u0001Island', state: 'a\u2028b' },
    entry: expectedEntry(
      'at\n0\n1e-7\nNull\u0001Island\na\u2028b',
      `"latitude_deg":0,"longitude_deg":1e-7,"city":"Null\\u0001Island","state":"a\u2028b",${durations}`,
    ),
  },
]

let redis: TestRedis
let folder: string
let entries: Reply
/** What MONITOR reported of the run, a line each. */
const monitored: string[] = []

beforeAll(async () => {
  redis = await startRedis()
  const monitor = await RawRedis.to(redis)
  const reader = await RawRedis.to(redis)
  await monitor.ask('MONITOR')
  const source = { use: 'static-list', locations: places.map((place) => place.location) }
  folder = await mkdtemp(join(tmpdir(), 'owm-test-'))
  await writeFile(
    join(folder, '.owmrc.json'),
    JSON.stringify({ source, sink: { use: 'redis-stream', url: redis.url }, outbox: { path: 'o.db' } }),
  )
  const { code, stderr } = await owm(['produce', '--slot', slot], { cwd: folder })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  await reader.ask('ECHO', 'that was all')
  for (;;) {
    const line = String(await monitor.next())
    if (line.includes('that was all')) break
    monitored.push(line)
  }
  entries = await reader.ask('XRANGE', 'owm-ingestion-stream', '-', '+')
  monitor.close()
  reader.close()
})
afterAll(async () => {
  await redis?.stop()
  await rm(folder, { recursive: true, force: true })
})

function payloads(): Buffer[] {
  if (!Array.isArray(entries)) throw new Error('XRANGE gave no list')
  return entries.map((entry) => {
    const fields = Array.isArray(entry) ? entry[1] : undefined
    if (!Array.isArray(fields) || fields.length !== 2 || !Buffer.isBuffer(fields[0]) || !Buffer.isBuffer(fields[1]))
      throw new Error('an entry has not exactly one field')
    expect(fields[0].toString('latin1')).toBe('data')
    return fields[1]
  })
}

it('every entry is one field `data`, byte by byte the task', () => {
  expect(payloads().map((payload) => payload.toString('hex'))).toEqual(
    places.map((place) => Buffer.from(place.entry, 'utf8').toString('hex')),
  )
})

it('the server sees XADD owm-ingestion-stream MAXLEN ~ 100000 * data <json>', () => {
  const adds = monitored.map(wordsOf).filter(([command]) => command?.toString().toUpperCase() === 'XADD')
  expect(adds.map((words) => words.slice(1, -1).map(String))).toEqual(
    places.map(() => ['owm-ingestion-stream', 'MAXLEN', '~', '100000', '*', 'data']),
  )
  expect(adds.map((words) => words.at(-1)?.toString('utf8'))).toEqual(places.map((place) => place.entry))
})

it("the keys that owm writes lie in the stream's cluster slot", () => {
  const written = monitored
    .map(wordsOf)
    .filter(([command]) => ['XADD', 'HSET', 'SET', 'DEL'].includes(String(command).toUpperCase()))
  expect(written.length).toBeGreaterThan(places.length)
  for (const [, key] of written) expect(String(key)).toMatch(/^(owm-ingestion-stream|\{owm-ingestion-stream\}:.+)$/)
})

it("Python's json reads the same", async () => {
  const script =
    'import json, sys\nfor line in sys.stdin.buffer: print(ascii([list(json.loads(line.decode("utf-8")).items())]))'
  const answer = await pythonSays(
    script,
    Buffer.concat(payloads().map((payload) => Buffer.concat([payload, Buffer.from('\n')]))),
  )
  // Without a Python the reader above has to do.
  if (answer === undefined) return expect(payloads()).toHaveLength(places.length)
  const [munich, santiago, tokyo, island] = answer.split('\n')
  expect(munich).toContain("('city', 'M\\xfcnchen'), ('state', 'Bayern'), ('forecast_duration_hours', 72)")
  expect(santiago).toContain(
    `('latitude_deg', -33.45694), ('longitude_deg', -70.64827), ('city', 'Santiago "SCL" \\\\ \\t.'), ('state', '')`,
  )
  expect(tokyo).toContain("('city', '\\u6771\\u4eac \\U0001f5fc'), ('state', '\\u6771\\u4eac\\u90fd')")
  expect(tokyo).toContain("('location_id', 1850147), ('country_code', 'JP'), ('population', 8336599)")
  expect(island).toContain(
    "('latitude_deg', 0), ('longitude_deg', 1e-07), ('city', 'Null\\x01Island'), ('state', 'a\\u2028b')",
  )
})

/** The quoted words of a MONITOR line, their escapes undone: `1700000000.1 [0 lua] "XADD" "key" …`. */
function wordsOf(line: string): Buffer[] {
  const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
    Buffer.from(
      text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, letter = '') =>
        hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (escapes[letter] ?? letter),
      ),
      'latin1',
    ),
  )
}

/** What a Python script prints; undefined where there is no Python. */
async function pythonSays(script: string, input: Buffer): Promise<string | undefined> {
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const isThere = await new Promise<boolean>((resolve, reject) => {
    child.on('error', (error) => ('code' in error && error.code === 'ENOENT' ? resolve(false) : reject(error)))
    child.on('close', (code) => (code === 0 ? resolve(true) : reject(new Error(`python3 ended with ${code}`))))
  })
  return isThere ? output : undefined
}
