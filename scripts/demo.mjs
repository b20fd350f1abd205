/**
 * `npm run demo`: the main job on real places. 1,500 of the world's largest
 * cities go into a JSONL file, or into Redis where OWM_REDIS_URL names one.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const redis = process.env.OWM_REDIS_URL
const outbox = join('demo', 'outbox.db')
const tasks = join('demo', 'tasks.jsonl')

rmSync(join(root, 'demo'), { recursive: true, force: true })
mkdirSync(join(root, 'demo'))
// A stream of its own: workers may read the usual one.
const stream = 'owm-demo'
const sink = redis
  ? ['--sink', 'redis-stream', '--set', `sink.stream=${stream}`]
  : ['--sink', 'jsonl', '--set', `sink.path=${tasks}`]
owm('produce', '--source', 'static-list', '--set', 'source.file=examples/world-cities.csv', '--outbox', outbox, ...sink)
owm('outbox', 'inspect', '--outbox', outbox, '--limit', '3', '--state', 'delivered')

console.log()
if (redis)
  console.log(
    `The tasks are in the stream ${stream}. To look at two of them:\n` +
      `redis-cli -u "$OWM_REDIS_URL" XRANGE ${stream} - + COUNT 2`,
  )
else {
  const lines = readFileSync(join(root, tasks), 'utf8').trimEnd().split('\n')
  console.log(`${lines.length} tasks are in ${tasks}. The first one:\n${lines[0]}`)
  console.log('\nWith a Redis server: OWM_REDIS_URL=redis://127.0.0.1:6379 npm run demo')
}

/** Runs owm as a user would, and shows the call. */
function owm(...args) {
  console.log(`\n$ owm ${args.join(' ')}`)
  const { status } = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
