import { test } from 'node:test'
import { sourceChecks } from 'owm-producer/testing'
import plugin, { backend } from './index.js'

const { places } = backend

/** How its backend can fail: the source must throw then. `begin` returns what ends the fault. */
const down = {
  name: 'the backend is down',
  begin() {
    backend.places = async () => {
      throw new Error('the backend is down')
    }
    return () => {
      backend.places = places
    }
  },
}

const checks = sourceChecks({
  plugin,
  module: import.meta.resolve('./index.js'),
  // Options as in a configuration, and how many locations they give. At least three batches make the best test.
  options: {},
  count: 5,
  faults: [down],
})

for (const check of checks) test(check.name, () => check.run())
