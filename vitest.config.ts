import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes and servers on two cores: slow is no failure, hanging is.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // Time-outs under test are real ones: on a busy machine one may strike early. What is broken fails twice.
    retry: process.env['CI'] ? 1 : 0,
    disableConsoleIntercept: true,
  },
})
