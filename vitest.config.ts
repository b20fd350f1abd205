import { defineConfig } from 'vitest/config'

/**
 * Three suites, told apart by their files' names:
 * unit         name.test.ts: no server, no process of its own; for while you write
 * integration  name.integration.test.ts: real processes and real servers
 * faults       test/faults and the model: kills, full disks, failovers
 */
const faults = ['test/faults/**/*.test.ts', 'test/model.test.ts']

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
          exclude: ['test/**/*.integration.test.ts', ...faults],
          retry: 0,
        },
      },
      { extends: true, test: { name: 'integration', include: ['test/**/*.integration.test.ts'] } },
      { extends: true, test: { name: 'faults', include: faults } },
    ],
  },
})
