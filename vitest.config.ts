import { defineConfig } from 'vitest/config'
import { filesWithout, missingPrograms } from './scripts/programs.mjs'

/**
 * Six suites, told apart by their files' names:
 * unit         name.test.ts: no server, no process of its own; for while you write
 * integration  name.integration.test.ts: real processes and real servers
 * faults       test/faults, and the outbox against a reference model: kills, full disks, failovers
 * engines      what starts owm: containers, Kubernetes, Slurm, ecFlow, cron; the long part: `npm run test:engines`
 * model        the protocol's Promela model, checked by spin
 * guards       the suite again, in an owm without one of its guards: it must fail (`npm run test:guards`)
 */
const faults = [
  'test/faults/**/*.test.ts',
  'test/reference.test.ts',
  'test/schedule/year/*.test.ts',
  'test/doctor/healthy.*',
]
/**
 * What takes long: `npm run test:faults` and `npm run test:engines` alone have it, so that `npm test` ends in time. They
 * also run the integration tests that ask for OWM_TEST_LONG.
 */
const long = [
  'test/faults/!(crash-points).test.ts',
  'test/faults/{fuzz,redis}/*',
  'test/faults/protocol/!(chain|mark).test.ts',
  'test/engines/long/*',
  'test/schedule/{year/*,new-outbox.*,on-time.*}',
  'test/doctor/healthy.*',
  'test/sinks/redis-!(options|socket|stream).*',
  'test/sinks/postgres/{worker,readers}.*',
  'test/sources/{sql/{connections,keys},static-list/runs}.*',
  'test/sources/field/{tables,servers,answers,lists}.*',
  'test/house/{tutorial,weather}.*',
  'test/outbox/{again,another-sink,at-work,dead-read-again,discard,owner,page,strangers}.*',
]
const engines = ['test/engines/**/*.test.ts']
const leftOut = process.env['OWM_TEST_LONG'] ? [] : long
const model = ['test/promela.test.ts']
const guards = ['test/guards.test.ts', 'test/faults/broken-guards.test.ts']

/** `npm test` has said which these are; where CI is set, it has failed. */
const cannotRun = filesWithout(missingPrograms()).map(({ file }) => file)

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
          exclude: ['test/**/*.integration.test.ts', ...faults, ...engines, ...model, ...guards, ...cannotRun],
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
          exclude: [...faults, ...leftOut, ...cannotRun],
        },
      },
      { extends: true, test: { name: 'faults', include: faults, exclude: [...guards, ...leftOut, ...cannotRun] } },
      { extends: true, test: { name: 'engines', include: engines, exclude: [...leftOut, ...cannotRun] } },
      { extends: true, test: { name: 'model', include: model, exclude: cannotRun, maxConcurrency: 2 } },
      {
        extends: true,
        test: { name: 'guards', include: process.env['OWM_TEST_LONG'] ? guards : [], testTimeout: 300_000 },
      },
    ],
  },
})
