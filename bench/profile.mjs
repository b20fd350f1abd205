/**
 * `node bench/profile.mjs [COUNT]`: where the time of one `owm produce` of COUNT (100,000) simulated locations goes, by V8's own sampling.
 * A sample belongs to the innermost function that lies in a module of owm or of a vendor, so that what Node does for it counts as its own.
 *
 * `node bench/profile.mjs --start`: how long Node takes to import each vendor that a run needs, as npm installs it.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle } from '../scripts/build.mjs'
import { clear, root, scene, startRedis, timed } from './scene.mjs'

const count = Number(process.argv[2] ?? 100_000)
const { folder, owm, cwd } = scene()

/** What a module is for, the first that fits. */
const phases = [
  ['generate (simulated-db)', /^src\/sources\//],
  ['validate, serialise, id (task, hash)', /^src\/(task|utf8)\.ts/],
  ['duplicates (seen)', /^src\/seen\.ts/],
  ['hold plugins to their contract', /^src\/(contract|plugin)\.ts/],
  ['hand-over and reader (pipeline, retries)', /^src\/(pipeline|resilience)|^cockatiel/],
  ['batches: cutting, joining, taking apart', /^src\/(batch|outbox\/(outbox|schema))/],
  ['SQLite: TypeORM and driver, main thread', /^src\/outbox|^typeorm|^sqlite3/],
  ['wire: ioredis, encoding, sockets', /^ioredis|^redis-|^@ioredis|^src\/sinks/],
  ['configuration', /^src\/(config|settings|origins|explain|pipelines|filters)|^zod|^cosmiconfig|^js-yaml/],
  ['command line (oclif)', /^@oclif|^cli$/],
]

/** Line of a bundle -> module, by the comments that the build leaves. */
function modulesOf(/** @type {string} */ name) {
  const found = []
  for (const [line, text] of readFileSync(join(folder, 'owm/dist', name), 'utf8')
    .split('\n')
    .entries()) {
    const [, path] = /^\s*\/\/ ((?:src|.*node_modules)\/\S+)$/.exec(text) ?? []
    if (path !== undefined)
      found.push({ line, module: path.replace(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\/.*/, '$1') })
  }
  return (/** @type {number} */ line) => found.findLast((one) => one.line <= line)?.module ?? name
}

/** Median of whole processes, interleaved. */
async function start() {
  const vendors = [
    '',
    '@oclif/core/execute',
    'zod',
    'cosmiconfig',
    'pino',
    'cockatiel',
    'ioredis',
    'sqlite3',
    'typeorm',
  ]
  const seconds = new Map(vendors.map((vendor) => [vendor, /** @type {number[]} */ ([])]))
  for (let rep = 0; rep < 9; rep++)
    for (const [vendor, took] of seconds)
      took.push(
        (await timed([process.execPath, '--input-type=module', '-e', vendor && `import '${vendor}'`], { cwd: root }))
          .seconds,
      )
  const median = (/** @type {string} */ vendor) =>
    (seconds.get(vendor) ?? []).toSorted((a, b) => a - b)[4] ?? Number.NaN
  process.stdout.write('| import | ms more than an empty module |\n| --- | --- |\n')
  for (const vendor of vendors.slice(1))
    process.stdout.write(`| ${vendor} | ${((median(vendor) - median('')) * 1000).toFixed(0)} |\n`)
}

try {
  if (process.argv[2] === '--start') await start()
  else await profile()
} finally {
  clear()
}

async function profile() {
  await bundle(root, { dist: join(folder, 'owm/dist'), readable: true })
  const redis = await startRedis()
  const profiles = join(folder, 'profile')
  mkdirSync(profiles)
  const outbox = join(folder, 'outbox.db')
  const produce = [
    'produce',
    '--source',
    'simulated-db',
    '--set',
    `source.count=${count}`,
    '--sink',
    'redis-stream',
    '--set',
    `sink.url=${redis.url}`,
  ]
  await timed([process.execPath, owm, ...produce, '--outbox', join(folder, 'warm.db')], { cwd })
  await redis.client.flushall('SYNC')
  await redis.client.config('RESETSTAT')
  const flags = ['--cpu-prof', '--cpu-prof-interval', '250', '--cpu-prof-dir', profiles]
  const { seconds } = await timed([process.execPath, ...flags, owm, ...produce, '--outbox', outbox], { cwd })
  const scripts = /cmdstat_eval:calls=(\d+),usec=(\d+)/.exec(await redis.client.info('commandstats'))
  const adds = /cmdstat_xadd:calls=\d+,usec=(\d+)/.exec(await redis.client.info('commandstats'))
  await redis.stop()

  const [file = ''] = readdirSync(profiles)
  /** @type {{nodes: {id: number, children?: number[], callFrame: {functionName: string, url: string, lineNumber: number}}[], samples: number[], timeDeltas: number[]}} */
  const profile = JSON.parse(readFileSync(join(profiles, file), 'utf8'))
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])))
  const bundles = new Map(['owm.cjs', 'cli.cjs'].map((name) => [name, modulesOf(name)]))

  function phaseOf(/** @type {number | undefined} */ id) {
    const own = nodes.get(id ?? 0)?.callFrame.functionName ?? ''
    if (own === '(idle)') return 'idle: waiting for the disk and for Redis'
    if (own === '(garbage collector)') return 'garbage collection'
    for (let at = id; at !== undefined; at = parents.get(at)) {
      const { url = '', lineNumber = 0, functionName = '' } = nodes.get(at)?.callFrame ?? {}
      if (functionName === 'load' && url.endsWith('dist/load.cjs')) return 'start: loading the bundles'
      const [, name = ''] = /dist\/(\w+\.cjs)$/.exec(url) ?? []
      // The outermost lines of a bundle are its modules' own, when they load.
      if (functionName.includes('node_modules/') || functionName.startsWith('src/')) return 'start: running modules'
      const module = bundles.get(name)?.(lineNumber)
      if (module === undefined) continue
      return (
        phases.find(([, pattern]) => pattern.test(module))?.[0] ??
        (name === 'cli.cjs' ? 'command line (oclif)' : `other: ${module}`)
      )
    }
    return 'Node itself: start, streams, timers'
  }

  /** @type {Map<string, number>} */
  const sums = new Map()
  profile.samples.forEach((id, index) => {
    const phase = phaseOf(id)
    sums.set(phase, (sums.get(phase) ?? 0) + (profile.timeDeltas[index] ?? 0))
  })
  const print = (/** @type {string} */ what, /** @type {number} */ micros) =>
    process.stdout.write(`| ${what} | ${(micros / 1000).toFixed(0)} | ${(micros / count).toFixed(2)} |\n`)
  process.stdout.write(
    `${seconds.toFixed(2)} s for ${count}, with the profiler's own cost\n\n| main thread | ms | µs a task |\n| --- | --- | --- |\n`,
  )
  for (const [phase, micros] of [...sums].sort((a, b) => b[1] - a[1])) if (micros > 2000) print(phase, micros)
  process.stdout.write(`\n| Redis' own time | ms | µs a task |\n| --- | --- | --- |\n`)
  print('scripts', Number(scripts?.[2]))
  print('of them XADD itself', Number(adds?.[1]))
}
