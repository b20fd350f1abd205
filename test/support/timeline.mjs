/**
 * `node --import timeline.mjs bin/run.js …`: says on standard error when the
 * process first reaches each step: `owm:step run:started 412.5`, in
 * milliseconds since the process began.
 */
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'

const seen = new Set()
subscribe('owm:step', ({ at }) => {
  if (seen.has(at)) return
  seen.add(at)
  writeSync(2, `owm:step ${at} ${performance.now().toFixed(1)}\n`)
})
