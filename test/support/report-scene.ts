/**
 * Days of an hourly pipeline, made by owm itself: slots that were missed and covered, tasks that the sink refused,
 * rejected records, and a newest slot that is only half delivered. For the tests of `owm report`, and for the pictures
 * of it in docs/.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
/** Nothing that owm prints may hold it. */
export const secret = 'sesame-4711'

const clock = join(import.meta.dirname, 'clock-at.mjs')

/** Refuses some cities; takes only the first batches while a file `busy` is there. */
const sink = `
import { existsSync } from 'node:fs'
import { defineSink, z } from 'owm-producer'
let batches = 0
export default defineSink({
  name: 'weather-queue',
  description: 'takes tasks',
  options: z.strictObject({ token: z.string().default('') }),
  open: ({ token }, { baseDir }) => ({
    guarantee: 'at-least-once',
    address: 'queue.example/weather',
    async deliver(batch) {
      if (existsSync(baseDir + '/busy') && ++batches > 12) throw new Error('the queue is full for ' + token)
      const refuses = /"state":"(Pará|Gauteng)"|"city":"Recife"/
      return batch.tasks.map((task) => (refuses.test(task) ? { refused: 'no model covers this place' } : 'delivered'))
    },
  }),
})
`

export interface Scene {
  /** When owm is started: ISO 8601, ascending. */
  starts: readonly string[]
  /** CSV rows beside the cities. */
  rows?: readonly string[]
  /** Whether the sink is busy at the last start. */
  isBusy?: boolean
}

export function makeScene(folder: string, { starts, rows = [], isBusy = false }: Scene): void {
  const cities = readFileSync(join(root, 'examples', 'world-cities.csv'), 'utf8')
  writeFileSync(join(folder, 'cities.csv'), [cities.trimEnd(), ...rows, ''].join('\n'))
  writeFileSync(join(folder, 'sink.mjs'), sink)
  const pipeline = {
    schedule: { cron: '0 * * * *', maxAge: '6h' },
    source: { use: 'static-list', file: './cities.csv' },
    sink: { use: './sink.mjs', token: secret },
    outbox: { path: './outbox.db' },
    plan: { callsPerTask: 1, limitPerDay: 50_000 },
    flush: { batchSize: 100 },
    retry: { attempts: 1 },
  }
  writeFileSync(join(folder, '.owmrc.json'), JSON.stringify({ pipelines: { 'world-weather': pipeline } }))
  for (const [index, start] of starts.entries()) {
    if (isBusy && index === starts.length - 1) writeFileSync(join(folder, 'busy'), '')
    owmAt(folder, start, 'produce')
  }
}

/** Runs owm in a folder at a time. */
export function owmAt(
  cwd: string,
  time: string,
  ...args: string[]
): { stdout: string; stderr: string; code: number | null } {
  const { PATH = '', HOME = '' } = process.env
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', clock, join(root, 'bin', 'run.js'), ...args],
    { cwd, env: { PATH, HOME, OWM_TEST_NOW: time }, encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  return { stdout, stderr, code: status }
}
