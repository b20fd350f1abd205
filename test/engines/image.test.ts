/** The container image, from its build to the last task, without the right to write anywhere but to its volume. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root, temporaryFolder, until } from '../support/cli.js'
import { type Docker, startDocker } from '../support/docker.js'
import { blocksOf } from '../support/pages.js'

let engine: Docker
let redis: string
let image: string
let printed: string
const volume = `owm-test-${randomUUID()}`

beforeAll(async () => {
  engine = await startDocker()
  redis = await engine.redis()
  ;({ image, printed } = await engine.owmImage())
  console.log(printed.trim())
})

/** Removes the container that the page starts. */
const removeContainer = (): Promise<string> => engine.docker('rm', '--force', `owm-${volume}`).catch(() => '')

afterAll(async () => {
  await removeContainer()
  await engine.stop(volume, `${volume}-page`)
})

const redisCli = (...args: string[]): Promise<string> => engine.docker('exec', redis, 'redis-cli', ...args)
const entries = async (): Promise<number> => Number(await redisCli('xlen', 'owm-ingestion-stream'))

async function folderOf(file: string, config: string): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, file), config)
  await chmod(folder, 0o755)
  return folder
}

it('is small, has an owner without rights, and tini as its first process', async () => {
  const [, megabytes] = /: (\d+) MB/.exec(printed) ?? []
  const base = Number(await engine.docker('image', 'inspect', '--format', '{{.Size}}', engine.base)) / 1e6
  expect(Number(megabytes) - base, 'what owm adds to Node').toBeLessThan(20)
  const { Config } = JSON.parse(await engine.docker('image', 'inspect', '--format', '{{json .}}', image))
  expect(Config).toMatchObject({ User: '10001:10001', Entrypoint: ['tini', '--', 'owm'], WorkingDir: '/etc/owm' })
})

it('delivers each task once: produce, SIGTERM, start again, flush', async () => {
  const config = await folderOf(
    '.owmrc.yaml',
    `schedule: {cron: "0 0 1 1 *"}
source: {use: simulated-db, count: 3000, pageSize: 100, latencyMs: 40}
sink: {use: redis-stream, url: "redis://127.0.0.1:6379"}
outbox: {path: /var/lib/owm/outbox.db}
`,
  )
  const confined = [
    ...['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--network', `container:${redis}`, '--volume', `${volume}:/var/lib/owm`, '--volume', `${config}:/etc/owm:ro`],
  ]
  const owm = (...args: string[]): Promise<string> => engine.docker('run', '--rm', ...confined, image, ...args)

  const id = await engine.start(...confined, image, 'produce')
  await until(async () => (await entries()) > 0)
  const script = 'const fs = require("node:fs"); console.log(fs.readFileSync("/proc/1/comm", "utf8").trim()); '
  const write = 'try { fs.writeFileSync("/opt/owm/x", "") } catch ({ code }) { console.log(code, process.getuid()) }'
  expect(await engine.docker('exec', id, 'node', '-e', script + write)).toBe('tini\nEROFS 10001')
  await engine.docker('stop', '--time', '30', id)
  expect(await engine.docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('143')
  expect(await entries()).toBeLessThan(3000)

  expect(JSON.parse(await owm('produce', '--no-flush', '--json')).outbox.pending).toBeGreaterThan(0)
  expect(await entries()).toBeLessThan(3000)
  await owm('flush')
  const stream = await redisCli('xrange', 'owm-ingestion-stream', '-', '+')
  const ids = [...stream.matchAll(/"task_id":"([^"]+)"/g)].map(([, task]) => task)
  expect({ entries: ids.length, different: new Set(ids).size }).toEqual({ entries: 3000, different: 3000 })
  expect(JSON.parse(await owm('outbox', 'inspect', '--json')).runs).toHaveLength(1)
  await owm('verify')
})

it('docs/deploy/container.md: each block works, one after the other', async () => {
  await redisCli('flushall')
  await removeContainer() // of an attempt before this one
  const blocks = blocksOf(await readFile(join(root, 'docs', 'deploy', 'container.md'), 'utf8'))
  const cwd = await folderOf('owm.yaml', blocks.find(({ file }) => file === 'owm.yaml')?.text ?? '')
  const env = { ...engine.env, REDIS_URL: 'redis://127.0.0.1:6379', NETWORK: `container:${redis}` }
  // Names of this test's own: the engine may be somebody's.
  const ours = (text: string): string =>
    text
      .replace('npm run image --', `npm --prefix '${root}' run image -- --base ${engine.base}`)
      .replaceAll('owm:here', image)
      .replaceAll('owm-outbox', `${volume}-page`)
      .replaceAll(/--name owm\b|(?<=docker (exec|stop|rm) )owm\b/g, (name) => `${name}-${volume}`)
  const commands = blocks.filter(({ language }) => language === 'sh')
  expect(commands).toHaveLength(3)
  // Of a failure only standard error is shown.
  const run = (text: string) => promisify(execFile)('sh', ['-euc', `exec >&2\n${ours(text)}`], { cwd, env })
  for (const { text } of commands) await run(text)
  expect((await entries()) % 100).toBe(0)
  expect(await entries()).toBeGreaterThan(0)
})
