/**
 * `node --import nth-step.mjs bin/run.js …`: says on standard error when the process reaches its first step, of
 * whatever kind, and its OWM_SAY_AT-th one (see Step in src/trace.ts).
 */
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'

const wanted = Number(process.env.OWM_SAY_AT)
let steps = 0
subscribe('owm:step', () => {
  steps++
  if (steps === 1) writeSync(2, 'owm:first\n')
  if (steps === wanted) writeSync(2, 'owm:reached\n')
})
