import { test } from 'node:test'
import { sourceChecks } from 'owm-producer/testing'
import plugin from './index.js'

// Options as in a configuration, and how many locations they give. At least three batches make the best test.
const checks = sourceChecks({ plugin, module: import.meta.resolve('./index.js'), options: {}, count: 5 })

for (const check of checks) test(check.name, () => check.run())
