/** Database files, whatever they hold. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc, { type Arbitrary } from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { exitCodes, type OwmError } from '../../../src/errors/index.js'
import { inspect } from '../../../src/outbox/inspect/picture.js'
import { flush } from '../../../src/pipeline/flush.js'
import { Resilience } from '../../../src/pipeline/retry.js'
import { plainSettings } from '../../../src/pipeline/slots/agenda.js'
import { owm } from '../../support/cli.js'
import { openDatabase } from '../../support/contents.js'
import {
  always,
  type Change,
  change,
  changed,
  expectGoodEnd,
  expectOwn,
  home,
  patience,
  processes,
  runs,
  timeout,
} from '../../support/fuzz.js'
import { fuzzOutbox, guard, log, memory, produceInto, sourceOf } from '../../support/fuzz-outbox.js'

const parts = ['', '-wal', '-shm'] as const
type Part = (typeof parts)[number]
/** The files of an outbox, by what is behind its name. */
type Files = ReadonlyMap<string, Buffer>

/** At rest: one file. Open: as a process that was killed leaves it. */
let atRest: Files
let killed: Files

/** An outbox with something of everything: runs done, read and open; dead, rejected, duplicate, suspect, pending. */
async function makeOutbox(folder: string): Promise<void> {
  const list = join(folder, 'list.csv')
  const rows = Array.from(
    { length: 60 },
    (_, index) => `${index % 55},${index === 7 ? 99 : index},${index},City ${index},State`,
  )
  await writeFile(list, `id,latitude,longitude,city,state\n${rows.join('\n')}\n`)
  const path = join(folder, 'outbox.db')
  await produceInto(path, sourceOf(list))
  const outbox = await fuzzOutbox(path)
  const { run } = await outbox.ledger.start({
    slot: '2026-11-23T11:00:00Z',
    source: 'static-list',
    sourceDigest: 'fuzz',
    slotGiven: true,
    ...plainSettings,
  })
  const task = (index: number): string =>
    `{"task_id":"00000000-0000-5000-8000-0000000000${index + 10}","latitude_deg":1,"longitude_deg":2,` +
    `"city":"P${index}","state":""}`
  await outbox.intake.write(run, {
    checkpoint: null,
    read: 40,
    batches: outbox.cut(Array.from({ length: 35 }, (_, index) => task(index))),
    rejections: [],
    suspects: [{ position: 'line 3', task: task(3) }],
    idSum: '0'.repeat(32),
  })
  const batch = await outbox.queue.after(outbox.ackedSeq, 10)
  if (!batch) throw new Error('there is nothing pending')
  await outbox.deadLetters.add(batch, new Map([[2, 'refused by the test']]))
  await outbox.noteFailure(batch.firstSeq + batch.count, 'it failed')
  await outbox.breakers.save('sink', { state: 'open', failures: 3, openedAt: 1_700_000_000_000 })
  killed = await filesOf(path)
  await outbox.close()
  atRest = await filesOf(path)
}

async function filesOf(path: string): Promise<Files> {
  const files = new Map<string, Buffer>()
  for (const part of parts) {
    const bytes = await readFile(`${path}${part}`).catch(() => undefined)
    if (bytes) files.set(part, bytes)
  }
  return files
}

const value = fc.constantFrom(
  "'x'",
  "''",
  'NULL',
  '-1',
  '0',
  '1',
  '1e300',
  '9223372036854775807',
  '0.5',
  "x'00ff'",
  'zeroblob(100)',
  "'{'",
  "'[]'",
  "'[1,2]'",
  "'null'",
  '\'{"a":1}\'',
  'char(0)',
)
const column = fc.constantFrom(
  ...['outbox_id', 'handed_seq', 'last_seq', 'breaker', 'holder', 'next_sink'].map((name) => `state SET ${name}`),
  ...[
    'run_id',
    'slot',
    'source_digest',
    'state',
    'resume',
    'read',
    'rejected',
    'persisted',
    'discarded',
    'started_at',
    'finished_at',
    'sinks',
    'cadence',
  ].map((name) => `run SET ${name}`),
  ...['first_seq', 'count', 'run', 'failures', 'last_error', 'created_at', 'tasks'].map((name) => `batch SET ${name}`),
  ...['run', 'attempts', 'reason', 'created_at', 'fate', 'task'].map((name) => `dead SET ${name}`),
  ...['run', 'kind', 'position', 'value', 'created_at'].map((name) => `rejected SET ${name}`),
  ...['run', 'position', 'task'].map((name) => `suspect SET ${name}`),
  ...['addresses', 'sink_ids'].map((name) => `sink SET ${name}`),
)
const sql: Arbitrary<string> = fc.oneof(
  {
    arbitrary: fc
      .tuple(column, value, fc.constantFrom('', ' WHERE rowid = (SELECT max(rowid) FROM {})'))
      .map(([set, to, where]) => `UPDATE OR REPLACE ${set} = ${to}${where.replace('{}', set.split(' ')[0] ?? '')}`),
    weight: 8,
  },
  {
    arbitrary: fc
      .constantFrom('state', 'run', 'batch', 'dead', 'rejected', 'migrations')
      .map((table) => `DELETE FROM ${table}`),
    weight: 2,
  },
  {
    arbitrary: fc
      .constantFrom('state', 'run', 'batch', 'dead', 'suspect', 'migrations')
      .map((table) => `DROP TABLE ${table}`),
    weight: 1,
  },
  {
    arbitrary: fc.constantFrom(
      'DELETE FROM batch WHERE first_seq > 60 AND first_seq < 80',
      'PRAGMA user_version = 0',
      'PRAGMA user_version = -1',
      'PRAGMA application_id = 0',
      'UPDATE state SET handed_seq = last_seq + 5',
    ),
    weight: 2,
  },
)

type Damage =
  | { kind: 'bytes'; from: 'at rest' | 'killed'; part: Part; changes: Change[]; garbage: Uint8Array | undefined }
  | { kind: 'sql'; statements: string[] }

const block = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constant('flip' as const),
  bytes: fc.uint8Array({ minLength: 100, maxLength: 4096, size: 'max' }),
})
const damage: Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constant('bytes' as const),
    from: fc.constantFrom('at rest' as const, 'killed' as const),
    part: fc.constantFrom<Part>('', '', '', '-wal', '-shm'),
    changes: fc.array(fc.oneof(change, change, block), { minLength: 1, maxLength: 12 }),
    garbage: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 5 },
      { arbitrary: fc.uint8Array({ maxLength: 5_000, size: 'max' }), weight: 1 },
    ),
  }),
  fc.record({ kind: fc.constant('sql' as const), statements: fc.array(sql, { minLength: 1, maxLength: 3 }) }),
)

async function damaged(given: Damage, path: string): Promise<void> {
  const files = new Map(given.kind === 'sql' || given.from === 'at rest' ? atRest : killed)
  if (given.kind === 'bytes')
    files.set(
      given.part,
      given.garbage === undefined
        ? given.changes.reduce(changed, files.get(given.part) ?? Buffer.alloc(0))
        : Buffer.from(given.garbage),
    )
  for (const [part, bytes] of files) await writeFile(`${path}${part}`, bytes, { mode: 0o600 })
  if (given.kind === 'bytes') return
  const all = await openDatabase(path)
  await all('PRAGMA ignore_check_constraints = ON')
  await all('PRAGMA foreign_keys = OFF')
  // What the schema itself forbids can't get into a file this way.
  for (const statement of given.statements) await all(statement).catch(() => undefined)
  await all.close()
}

describe('database files', () => {
  beforeAll(async () => {
    const folder = join(home, 'outbox')
    await mkdir(folder)
    await makeOutbox(folder)
  })

  test('an undamaged one is delivered to its end (what the others are made of is good)', async () => {
    for (const files of [atRest, killed]) {
      const path = join(home, 'undamaged.db')
      for (const [part, bytes] of files) await writeFile(`${path}${part}`, bytes)
      const { errors, tasks, pending } = await flushAll(path)
      expect({ errors, pending, tasks: tasks.length }).toEqual({ errors: [], pending: 0, tasks: 25 })
      for (const part of parts) await rm(`${path}${part}`, { force: true })
    }
  })

  async function flushAll(path: string): Promise<{ errors: OwmError[]; tasks: string[]; pending: number }> {
    const { tasks, sink } = memory()
    const outbox = await fuzzOutbox(path)
    try {
      const { errors } = await flush(
        { limit: Number.POSITIVE_INFINITY },
        {
          outbox,
          pipeline: 'fuzz',
          isSharded: false,
          sink,
          resilience: new Resilience(guard),
          log,
          signal: new AbortController().signal,
        },
      )
      return { errors, tasks, pending: outbox.pending }
    } finally {
      await outbox.close()
    }
  }

  async function inspectAll(path: string): Promise<void> {
    for (const state of ['pending', 'dead', 'rejected', 'delivered'] as const)
      JSON.stringify(await inspect(path, { run: undefined, location: 'City', limit: 100, state }))
  }

  // The fuzzer found it once.
  test.each(['dead SET reason', 'rejected SET position', 'run SET slot', 'run SET source_digest'])(
    'bytes in place of a text are told: UPDATE %s',
    async (column) => {
      const path = join(home, 'bytes.db')
      await damaged({ kind: 'sql', statements: [`UPDATE ${column} = zeroblob(100)`] }, path)
      const state = column.startsWith('rejected') ? 'rejected' : 'dead'
      const { code, stderr } = await owm(['outbox', 'inspect', '--state', state, '--outbox', path], {
        cwd: home,
        timeout: patience,
      })
      expect(code, stderr).toBe(exitCodes.outbox)
      expect(stderr).toMatch(/bytes\.db is damaged: it holds bytes in place of a text/)
    },
  )

  test('are delivered, or refused with exit 74; 0 means that nothing is pending', { timeout }, async () => {
    await always(damage, runs * 3, async (given, folder) => {
      const path = join(folder, 'outbox.db')
      await damaged(given, path)
      const own = (error: unknown): void =>
        expectOwn(error, [exitCodes.outbox, exitCodes.notDelivered, exitCodes.configuration])
      await inspectAll(path).catch(own)
      for (const step of [
        async () => flushAll(path),
        async () => {
          const list = join(folder, 'list.csv')
          await copyFile(join(home, 'outbox', 'list.csv'), list)
          const { summary, tasks } = await produceInto(path, sourceOf(list), '2026-11-23T12:00:00Z')
          return { errors: summary.errors, tasks, pending: 0 }
        },
      ])
        await step().then(({ errors, tasks, pending }) => {
          for (const error of errors) own(error)
          if (errors.length === 0) expect(pending).toBeLessThanOrEqual(0)
          expect(tasks).not.toContain('')
        }, own)
    })
  })

  test('on the command line', { timeout }, async () => {
    await always(damage, processes, async (given, folder) => {
      await damaged(given, join(folder, 'outbox.db'))
      const config = {
        source: { use: 'simulated-db', count: 20 },
        sink: { use: 'jsonl', path: './tasks.jsonl' },
        outbox: { path: './outbox.db' },
        retry: { attempts: 1 },
      }
      await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
      for (const args of [['outbox', 'inspect'], ['flush', '--force'], ['produce']])
        expectGoodEnd(await owm([...args, '--json'], { cwd: folder, timeout: patience }), true)
    })
  })
})
