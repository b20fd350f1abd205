import { defineConfig } from 'vitest/config'
import { filesWithout, missingPrograms } from './scripts/programs.mjs'
import { isLong } from './test/support/conditions.js'

/**
 * Six suites. Two are told apart by their files' names, the others are lists of files:
 * unit         name.test.ts: no server, no process of its own; for while you write
 * integration  name.integration.test.ts: real processes and real servers
 * faults       test/faults, the outbox against a reference model: kills, full disks, failovers; edges of the outbox
 * engines      what starts owm: containers, Kubernetes, Slurm, ecFlow, cron; the long tests of sinks and sources
 * model        the protocol's Promela model, checked by spin
 * guards       the suite again, in an owm without one of its guards: it must fail
 *
 * The last four are those with long tests: `npm run test:SUITE` runs all of a suite. `npm test` runs them without the
 * files that take long, and of the others what isn't behind `isLong`.
 */
const faults = {
  short: [
    'test/faults/crash-points.test.ts',
    'test/faults/protocol/{chain,mark}.test.ts',
    'test/reference.test.ts',
    'test/doctor/redis.integration.test.ts',
    'test/plugins/{conformance,conformance-postgres,new}.integration.test.ts',
    'test/report/report.integration.test.ts',
    'test/sinks/jsonl.integration.test.ts',
  ],
  long: [
    'test/faults/!(crash-points|broken-guards).test.ts',
    'test/faults/{fuzz,redis}/*.test.ts',
    'test/faults/protocol/!(chain|mark).test.ts',
    'test/doctor/healthy.integration.test.ts',
    'test/outbox/{again,another-sink,dead-read-again,discard,owner,strangers}.integration.test.ts',
    'test/schedule/year/*.test.ts',
    'test/schedule/{new-outbox,on-time}.integration.test.ts',
  ],
}
const engines = {
  short: ['test/engines/*.test.ts', 'test/house/readme.integration.test.ts'],
  long: [
    'test/engines/long/*.test.ts',
    'test/house/{tutorial,weather}.integration.test.ts',
    'test/outbox/{at-work,page}.integration.test.ts',
    'test/sinks/redis-!(socket|stream).integration.test.ts',
    'test/sinks/postgres/{readers,worker}.integration.test.ts',
    'test/sources/field/{answers,lists,servers,tables}.integration.test.ts',
    'test/sources/sql/{connections,keys}.integration.test.ts',
    'test/sources/static-list/runs.integration.test.ts',
  ],
}
const model = { short: ['test/promela.test.ts'], long: [] }
const guards = { short: [], long: ['test/guards.test.ts', 'test/faults/broken-guards.test.ts'] }
const suites = { faults, engines, model, guards }
const ofSuites = Object.values(suites).flatMap(({ short, long }) => [...short, ...long])

/** `npm test` has said which these are; where CI is set, it has failed. */
const cannotRun = filesWithout(missingPrograms()).map(({ file }) => file)

/** The files of a suite that this run takes. */
const filesOf = ({ short, long }: { short: string[]; long: string[] }) => ({
  include: isLong ? [...short, ...long] : short,
  exclude: cannotRun,
})

export default defineConfig({
  test: {
    // Real processes and servers on two cores: slow is no failure, hanging is.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    disableConsoleIntercept: true,
    // Time-outs under test are real ones: on a busy machine one may strike early. What is broken fails twice.
    retry: process.env['CI'] ? 1 : 0,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.integration.test.ts', ...ofSuites, ...cannotRun],
          retry: 0,
          // These tests leave nothing behind: loading owm once a worker, not once a file, saves a quarter of the time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.integration.test.ts'],
          exclude: [...ofSuites, ...cannotRun],
        },
      },
      { extends: true, test: { name: 'faults', ...filesOf(faults) } },
      { extends: true, test: { name: 'engines', ...filesOf(engines) } },
      { extends: true, test: { name: 'model', ...filesOf(model), maxConcurrency: 2 } },
      { extends: true, test: { name: 'guards', ...filesOf(guards), testTimeout: 300_000 } },
    ],
  },
})
