/**
 * Peer: a job queue's bulk call, 500 jobs each. No outbox: what dies on the way is lost.
 *
 *     node bullmq.mjs FOLDER COUNT PORT [SLOT]
 *
 * FOLDER holds a node_modules with bullmq. With a SLOT each job's id is made of that and its location: the queue leaves
 * out an id that it has.
 */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [folder = '.', count = '0', port = '', slot] = process.argv.slice(2)
const { Queue } = createRequire(join(folder, 'package.json'))('bullmq')
const queue = new Queue('owm', { connection: { host: '127.0.0.1', port: Number(port) } })
for (let first = 0; first < Number(count); first += 500) {
  const jobs = Array.from({ length: Math.min(500, Number(count) - first) }, (_, index) => ({
    name: 'ingest',
    data: task(first + index),
    ...(slot === undefined ? {} : { opts: { jobId: `${slot}-${first + index + 1}` } }),
  }))
  await queue.addBulk(jobs)
}
await queue.close()

/** @param {number} number */
function task(number) {
  return {
    task_id: randomUUID(),
    latitude_deg: ((number * 7919) % 18_001) / 100 - 90,
    longitude_deg: ((number * 6007) % 36_001) / 100 - 180,
    city: `city-${number + 1}`,
    state: `state-${number % 50}`,
    forecast_duration_hours: 72,
    historical_duration_hours: 72,
    location_id: number + 1,
  }
}
