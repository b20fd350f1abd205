/** The incidents of docs/operations.md: made for real, and solved by the commands that stand there, in their order. */
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { bin, owm, root, temporaryFolder } from '../support/cli.js'
import { blocksOf, commandsOf, printsWhatItShows } from '../support/pages.js'
import { startRedisProcess } from '../support/redis.js'
import { folderOf, healthy } from './scene.js'

const slot = '2026-11-26T03:00:00Z'
const page = await readFile(join(root, 'docs', 'operations.md'), 'utf8')

/** Does what a section says, in a terminal of 80 columns. */
async function solve(title: string, cwd: string, programs: Record<string, string> = {}): Promise<void> {
  const [, section = ''] = page.split(`### ${title}\n`)
  const commands = blocksOf(section.split('\n### ')[0] ?? '').flatMap(commandsOf)
  expect(commands.length).toBeGreaterThan(3)
  const path = await temporaryFolder()
  await symlink(bin, join(path, 'owm'))
  for (const [name, text] of Object.entries(programs)) await writeFile(join(path, name), text, { mode: 0o755 })
  for (const one of commands) await printsWhatItShows(one, cwd, path, { COLUMNS: '80' })
}

it('Redis is out of memory', async () => {
  const redis = await startRedisProcess({ args: ['--save', '3600 1'] })
  onTestFinished(() => redis.stop())
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  await admin.xgroup('CREATE', 'owm-ingestion-stream', 'workers', '0', 'MKSTREAM')
  await admin.config('SET', 'maxmemory', '1mb')
  const sink = { use: 'redis-stream', url: redis.url }
  const cwd = await folderOf({ ...healthy, source: { use: 'simulated-db', count: 50 }, sink, retry: { attempts: 1 } })
  expect((await owm(['produce', '--slot', slot], { cwd })).stderr).toMatch(/OOM command not allowed/)
  await solve('Redis is out of memory', cwd, {
    'redis-cli': `#!/bin/sh\nexec /usr/bin/redis-cli -p ${redis.port} "$@"\n`,
  })
})

const strict = `import { existsSync } from 'node:fs'
export default {
  kind: 'sink', name: 'strict', description: 'refuses', options: { safeParse: (data) => ({ success: true, data }) },
  open: (_, { baseDir }) => ({
    guarantee: 'at-least-once',
    deliver: async ({ tasks }) => tasks.map((_, index) =>
      index < 40 && !existsSync(baseDir + '/mended')
        ? { refused: 'the schema of the queue lacks "state"' } : 'delivered'),
  }),
}`

it('forty dead letters', async () => {
  const config = { ...healthy, source: { use: 'simulated-db', count: 50 }, sink: { use: './strict.mjs' } }
  const cwd = await folderOf(config, { 'strict.mjs': strict })
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(75)
  await solve('Forty dead letters', cwd)
})

const api = `import { existsSync } from 'node:fs'
const place = (id) => ({ id, city: 'city ' + id, latitude: 46, longitude: 7 })
export default {
  kind: 'source', name: 'api', description: 'fails', options: { safeParse: (data) => ({ success: true, data }) },
  open: (_, { baseDir }) => ({
    async *read(resume) {
      for (let page = Number(resume ?? 0); page < 4; page++) {
        if (page === 2 && !existsSync(baseDir + '/mended')) throw new Error('page 3 answered 502')
        const locations = [2 * page, 2 * page + 1].map(place)
        yield { locations, resume: String(page + 1), position: (index) => 'page ' + page + ', entry ' + index }
      }
    },
  }),
}`

it('a source that fails half-way', async () => {
  const config = { ...healthy, source: { use: './api.mjs' }, retry: { attempts: 1 } }
  const cwd = await folderOf(config, { 'api.mjs': api })
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(75)
  await solve('A source that fails half-way', cwd)
})
