/**
 * Does the suite notice? Each of these guards is taken out of a second owm, and the test that is there for it must fail
 * in that one. (The faults that need more than a test of the suite: faults/broken-guards, faults/protocol/guards.)
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { brokenProject, type Changes } from './support/broken.js'

/** Without the condition that the guard is: it never holds. */
const never = (guard: string): string => guard.replace(/^if \(.*?\)(?=\n|\s+(return|throw|if))/s, 'if (false)')

/** The guard, what stands in its place, and the test of the suite that sees it: its file and what its name has. */
const guards: [name: string, by: Changes[string], file: string, test: string][] = [
  ['another-sink', never, 'faults/protocol/another-sink', 'another sink with tasks pending is an error'],
  ['batches-of-this-outbox', 'return false', 'faults/copies', 'an outbox that was copied'],
  ['copied-while-running', '', 'faults/protocol/place', 'a copy made while a process ran'],
  [
    'copy-behind-both',
    'return goBackTo(parts, { at, note, search })',
    'faults/protocol/place',
    'a copy whose sink lost everything',
  ],
  ['catch-up', 'const times = [slot]', 'schedule/year/year.integration', 'twenty days'],
  ['interval', 'return to', 'schedule/year/year.integration', 'twenty days'],
  ['covered-closed', '', 'schedule/year/year.integration', 'twenty days'],
  ['behind-receipts', '', 'schedule/year/year.integration', 'twenty days'],
  ['deleted-slot-kept', '', 'outbox/runs.integration', 'a slot of which the ledger has deleted all'],
  ['deleted-slot-refused', never, 'outbox/runs.integration', 'a slot of which the ledger has deleted all'],
  ['copy-behind-receipts', '', 'schedule/new-outbox.integration', 'a backup made in the middle'],
  ['served-before-noted', '', 'schedule/starts.integration', 'a slot by hand that another outbox'],
  ['list-of-receipt', 'if (true) return undefined', 'schedule/other-list.integration', 'the first start of a project'],
  ['dead-elsewhere', never, 'schedule/other-list.integration', 'dead letters of the outbox before it'],
  [
    'receipt-gone',
    'const once = agenda.once || found.isServed',
    'schedule/new-outbox.integration',
    'what a receipt told of',
  ],
  ['list-elsewhere', 'return []', 'schedule/other-list.integration', 'the first start of a project'],
  ['window-once', never, 'schedule/cadence-slots.integration', 'no window goes out twice'],
  ['fence-over-left-out', '', 'faults/replay', 'of its tasks gone'],
  ['interval-of-receipt', 'const from = undefined', 'schedule/new-outbox.integration', 'windows that'],
  ['behind-receipts', '', 'schedule/new-outbox.integration', 'the slot that an outbox before it served'],
  ['receipts-stand', 'return receipts', 'schedule/new-outbox.integration', 'a slot whose tasks went with the stream'],
  ['covered-closed', '', 'schedule/on-time.integration', 'runs that stored nothing are covered'],
  ['digest-with-checkpoint', '', 'pipeline/checkpoints.integration', 'a run that was begun with other options'],
  ['early-start', never, 'schedule/on-time.integration', 'up to a minute early'],
  ['empty-runs-closed', 'const empty: RunRow[] = []', 'outbox/runs.integration', 'starts that fail'],
  ['epoch-attached', '', 'faults/protocol/chain', 'a process that was taken over stops'],
  ['epoch-checked', '', 'faults/protocol/chain', 'a process that was taken over stops'],
  [
    'epoch-for-each-try',
    'const attachment = (this.#attachment ??= await outbox.sinks.raiseEpoch())',
    'faults/protocol/place',
    '',
  ],
  ['epoch-of-the-file', never, 'outbox/strangers.integration', 'stops before it writes anything more'],
  ['failover-heard', '', 'sinks/redis-sentinel.integration', 'a planned failover'],
  ['replicas-counted', never, 'sinks/redis-durability.integration', 'too few'],
  [
    'majority-asked',
    (guard) => guard.replace('> nodes.length', '> 0'),
    'sinks/redis-sentinel.integration',
    'one Sentinel of another group',
  ],
  ['asking-said', '', 'sinks/redis-cluster.integration', 'a slot that moves'],
  ['file-there', '', 'sinks/jsonl.integration', 'a file that is removed'],
  ['file-locked', never, 'sinks/jsonl.integration', 'two owms that write one file'],
  ['folder-own', '', 'outbox/strangers.integration', 'folders where everybody may replace files'],
  [
    'settings-of-strangers',
    'const why: string | undefined = undefined',
    'config/strangers.integration',
    "cosmiconfig's own settings",
  ],
  [
    'driver-trusted',
    '',
    'config/strangers.integration',
    "a database's package in a folder above, where another user put it",
  ],
  ['found-owner', never, 'config/strangers.integration', 'a file of another user, unless it was named'],
  ['found-shared', never, 'config/strangers.integration', 'a file or a folder that everybody may write to'],
  ['dead-told-again', '', 'cli/slot.integration', 'dead letters'],
  ['begun-stays-open', 'const isBegun = false', 'pipeline/read-anew.integration', 'too short a list'],
  ['whole-list-before', "const wasWhole = 'true'", 'pipeline/read-anew.integration', 'minShare'],
  ['another-list-again', 'return undefined', 'pipeline/read-anew.integration', 'a list that has changed'],
  ['holes-are-due', '', 'schedule/intervals.integration', 'a new outbox serves those'],
  ['stored-from-minimum', never, 'pipeline/minimum.integration', 'fewer than minLocations'],
  ['log-kept', never, 'outbox/strangers.integration', 'whose log is still there is not created again'],
  ['log-of-the-file', never, 'outbox/foreign-log.integration', 'before the last run'],
  ['mark-is-new', '', 'faults/protocol/place', 'a stream that is deleted together with its mark'],
  ['mark-restored', 'if true then return end', 'faults/protocol/place', 'a mark that is deleted alone'],
  ['missing-is-not-empty', never, 'outbox/strangers.integration', 'a missing outbox'],
  ['one-name', never, 'outbox/strangers.integration', 'a hard link is refused'],
  ['one-waiting-flush', never, 'cli/flags.integration', 'a second flush that waits'],
  ['one-writer', '', 'outbox/strangers.integration', 'that is about to send stops'],
  [
    'other-place-rejected',
    (guard) => guard.replace(/if \(.*?\) \{\n/, 'if (true) {\n'),
    'pipeline/minimum.integration',
    'another place under its id a conflict',
  ],
  ['own-line-cut', '', 'sinks/jsonl.integration', "a file that isn't the sink's"],
  ['merged-told', '', 'pipeline/merged.integration', ''],
  ['output-no-stream', never, 'sinks/jsonl.integration', 'standard stream'],
  ['output-own', '', 'sinks/strangers.integration', ''],
  ['served-elsewhere-told', '', 'outbox/another-sink.integration', ''],
  ['own-slot-gone', 'return from', 'faults/protocol/bound', 'the stream is deleted: delivered again'],
  [
    'own-slot-kept',
    (guard) => guard.replace('own or ', ''),
    'faults/protocol/bound',
    "unread entries of the run's own slot stay",
  ],
  ['owned', never, 'outbox/strangers.integration', 'files that another user puts beside an outbox'],
  ['owner-refused', never, 'outbox/owner.integration', "another configuration's outbox"],
  ['pages-in-place', '', 'sources/http/shifts.integration', 'the order is another'],
  ['place-entry', '', 'faults/protocol/place', ''],
  [
    'postgres-id-taken',
    (guard) => guard.replace('!isIdTaken(error) && ', ''),
    'sinks/postgres/refusals.integration',
    'a sequence',
  ],
  ['postgres-hidden', '', 'sinks/postgres/readers.integration', 'row-level security'],
  ['postgres-attached', '', 'plugins/conformance-postgres.integration', 'a table if it attaches: refuses an older'],
  ['postgres-epoch', '', 'sinks/postgres/losses.integration', 'has attached since'],
  ['postgres-placed', '', 'plugins/conformance-postgres.integration', 'a table if it attaches: takes batches only'],
  ['postgres-left-out', never, 'sinks/postgres/losses.integration', 'a row that a trigger leaves out'],
  ['postgres-generation', '', 'sinks/postgres/losses.integration', 'is emptied between attach and place'],
  ['postgres-place', never, 'sinks/postgres/losses.integration', 'is emptied between attach and place'],
  ['postgres-skips', '', 'sinks/postgres/losses.integration', 'a batch that comes again behind later ones'],
  ['postgres-fence-moves', '', 'plugins/conformance-postgres.integration', 'a table if exactly-once: remembers'],
  ['postgres-permanent', 'if (true) return undefined', 'sinks/postgres/permanent.integration', 'UNLOGGED since'],
  ['postgres-same-table', 'WHEN false THEN 0', 'sinks/postgres/losses.integration', 'is emptied, dropped, restored'],
  ['postgres-receipt', never, 'plugins/conformance-postgres.integration', 'a table if it attaches: takes a receipt'],
  ['read-is-kept', '', 'pipeline/minimum.integration', 'is delivered, and read only once'],
  ['same-file', never, 'outbox/strangers.integration', 'another name for the file'],
  ['seen-is-kept', '', 'faults/protocol/place', 'a stream that is deleted before the first batch'],
  [
    'served-known',
    (guard) => guard.replace('run !== own && ', 'false && '),
    'outbox/runs.integration',
    'a slot that is there is read without being stored once more',
  ],
  ['no-formula', never, 'outbox/export.integration', 'a record each, as CSV'],
  ['replayed-once', '', 'faults/replay', 'a sink that loses all of it afterwards'],
  ['left-out', '', 'faults/replay', 'at intake:persisted'],
  ['left-out-after-loss', '', 'faults/replay', 'what it left out is delivered'],
  ['shards-the-same', 'return', 'faults/protocol/receipts', 'a slot that the sink has in shards'],
  ['earlier-turns-told', '', 'faults/protocol/another-sink', 'what a sink had before another one'],
  ['fence-may-move', '', 'faults/protocol/rights', 'hset is taken'],
  ['back-behind-its-own', 'const isOwn = false', 'faults/protocol/another-sink', 'by mistake'],
  ['read-again-counts', 'return [...ofSlot]', 'outbox/again.integration', 'what was discarded'],
  [
    'loss-of-own-shard',
    "const madeUp = ofSlot.filter(({ state }) => state === 'lost').map(({ id }) => id)",
    'outbox/again.integration',
    'another shard that was discarded or lost',
  ],
  ['dead-read-again', '', 'outbox/dead-read-again.integration', 'purged, replayed'],
  ['again-leaves-out', 'const leavesOut = false', 'outbox/again.integration', 'brings what the sink lacks'],
  ['again-once', 'const again = options.again === true', 'outbox/again.integration', 'stored and waits'],
  ['trial-outbox', 'return path', 'faults/protocol/another-sink', 'a trial with another plugin'],
]

test.each(guards)('%s', async (name, by, file, title) => {
  const folder = await brokenProject({ [name]: by })
  const report = join(folder, 'report.json')
  const run = ['run', `test/${file}.test.ts`, '-t', title, '--reporter=json', `--outputFile=${report}`]
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  await new Promise((done) => execFile(process.execPath, [vitest, ...run], { cwd: folder }, done))
  const { numFailedTests, numPassedTests } = JSON.parse(await readFile(report, 'utf8'))
  expect(numFailedTests, `of ${numFailedTests + numPassedTests} tests`).toBeGreaterThan(0)
})
