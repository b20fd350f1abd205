/**
 * Commands that only read an outbox of an older version show what it has, or say how to bring it up to date: no query
 * reads a column that its schema lacks.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { DataSource } from 'typeorm'
import { expect, test } from 'vitest'
import { silent } from '../../src/databases/silent.js'
import { sqlite3 } from '../../src/databases/sqlite.js'
import { healthOf } from '../../src/outbox/inspect/health.js'
import { lastRunIn, ownSlotsIn } from '../../src/outbox/inspect/ids/own-slots.js'
import { storyIn } from '../../src/outbox/inspect/ids/story.js'
import { factsIn } from '../../src/outbox/inspect/ledger/facts.js'
import { slotsIn } from '../../src/outbox/inspect/ledger/slots.js'
import { nextTasksIn } from '../../src/outbox/inspect/next.js'
import { discardableIn, inspect, replayableIn } from '../../src/outbox/inspect/picture.js'
import { overviewOf } from '../../src/outbox/inspect/report.js'
import { differenceOf } from '../../src/outbox/inspect/tasks/places.js'
import { totalsOf } from '../../src/outbox/inspect/totals.js'
import { read } from '../../src/outbox/inspect/view.js'
import { vitalsOf } from '../../src/outbox/inspect/vitals.js'
import { reasonsOf } from '../../src/outbox/runs/reasons.js'
import { type RunRow, runs } from '../../src/outbox/sqlite/entities.js'
import { migrations } from '../../src/outbox/sqlite/migrations.js'
import { columnsOf, has } from '../../src/outbox/sqlite/since.js'
import { temporaryFolder } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

const slot = '2026-11-23T01:00:00Z'

/** An outbox in which everything has happened, in that version's schema. */
async function outboxOf(version: number): Promise<string> {
  const database = join(await temporaryFolder(), 'outbox.db')
  const packed = await readFile(join(import.meta.dirname, 'fixtures', '1', 'eventful.db.gz'))
  await writeFile(database, await promisify(gunzip)(packed), { mode: 0o600 })
  const steps = { entities: [], migrations: migrations.slice(0, version), driver: sqlite3(), logger: silent }
  const source = await new DataSource({ type: 'sqlite', database, ...steps }).initialize()
  await source.runMigrations({ transaction: 'all' })
  await source.destroy()
  return database
}

const runsOf = (path: string) => read(path, (view) => factsIn(view, {}, 10))
const idsOf = async (path: string): Promise<string[]> => ((await runsOf(path)) ?? []).map(({ runId }) => runId)

const questions: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  totals: totalsOf,
  'next tasks': nextTasksIn,
  health: healthOf,
  vitals: (path) => vitalsOf(path, 0),
  overview: (path) => overviewOf(path, { runs: 10, places: 10 }),
  picture: (path) => inspect(path, { state: undefined, run: undefined, location: undefined, limit: 10 }),
  discardable: (path) => discardableIn(path, { pending: true }),
  replayable: (path) => replayableIn(path, { slot }),
  slots: slotsIn,
  'own slots': (path) => ownSlotsIn(path, { slot: undefined, pipeline: 'p', isSharded: false, address: 'a', room: 1 }),
  'last run': (path) => lastRunIn(path, undefined),
  story: (path) => storyIn(path, 10, () => () => true),
  runs: runsOf,
  reasons: async (path) => {
    const ids = await idsOf(path)
    return read(path, (view) => reasonsOf(view, ids))
  },
  difference: async (path) => {
    const [a = '', b = ''] = (await idsOf(path)).slice(-2)
    return read(path, (view) => differenceOf(view, [a], [b], 10))
  },
}

const versions = migrations.map((_, index) => index + 1)

test.each(versions)('version %i', async (version) => {
  const path = await outboxOf(version)
  const failures: string[] = []
  for (const [name, ask] of Object.entries(questions))
    await ask(path).catch((error: Error) => failures.push(`${name}: ${error.message}`))
  expect(failures.filter((failure) => !failure.endsWith('was last written by an older owm.'))).toEqual([])
  if (version === migrations.length) expect(failures).toEqual([])
})

const { columns } = runs.options
const isColumn = (name: string): name is keyof RunRow => name in columns

test.each(versions)('what version %i has is what its file has', async (version) => {
  const all = await openDatabase(await outboxOf(version))
  const found = await all<{ of: string; name: string }>(
    "SELECT t.name AS 'of', c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
  )
  await all.close()
  const taken = Object.keys(columnsOf(version, Object.keys(columns).filter(isColumn))).filter(isColumn)
  const ofRuns = found.filter((column) => column.of === 'run').map(({ name }) => name)
  expect(taken.map((name) => columns[name]?.name ?? name).sort()).toEqual(ofRuns.sort())
  expect(has(version, 'gap')).toBe(found.some((column) => column.of === 'gap'))
  expect(has(version, 'owner')).toBe(found.some((column) => column.of === 'state' && column.name === 'owner'))
})
