/**
 * `node --import crash.mjs bin/run.js …`: ends the process with SIGKILL at the
 * n-th time that it reaches a step (see Step in src/steps.ts), or stops it
 * there. OWM_CRASH_AT=batch:answered:3 [OWM_CRASH_SIGNAL=SIGSTOP]
 */
import { subscribe } from 'node:diagnostics_channel'

const [, step, number] = /^(.*?)(?::(\d+))?$/.exec(process.env.OWM_CRASH_AT ?? '') ?? []
let left = Number(number ?? 1)
subscribe('owm:step', (message) => {
  if (message.at === step && --left === 0) process.kill(process.pid, process.env.OWM_CRASH_SIGNAL ?? 'SIGKILL')
})
