/** Sinks that tell of their entries otherwise than they have promised, with owm as a process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { folderWith, owm, root, startOwm } from '../support/cli.js'
import { untilSaid } from '../support/faults.js'

const library = JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)
const sink = (entries: string): string => `
  import { defineSink, z } from ${library}
  const hang = () => new Promise(() => setInterval(() => {}, 1000))
  const guarantee = 'at-least-once'
  const deliver = async ({ tasks }) => tasks.map(() => 'delivered')
  export default defineSink({ name: 'bad', description: 'bad', options: z.strictObject({}),
    open: () => ({ guarantee, deliver, ${entries} }) })`

async function folderOf(entries: string): Promise<string> {
  const folder = await folderWith({
    source: { use: 'simulated-db', count: 5 },
    sink: { use: './bad.mjs', timeoutMs: 400 },
    outbox: { path: 'outbox.db' },
  })
  await writeFile(join(folder, 'bad.mjs'), sink(entries))
  expect(await owm(['produce'], { cwd: folder })).toMatchObject({ code: 0 })
  return folder
}

test.each([
  ['hangs', 'async *entries() { await hang() }', 75, /did not go on with its `entries` within 0\.4 s/],
  ['throws at once', "entries() { throw new Error('boom') }", 75, /The sink \.\/bad\.mjs failed: boom/],
  ['throws on the way', "async *entries() { throw new Error('boom') }", 75, /The sink \.\/bad\.mjs failed: boom/],
  ['gives numbers', 'async *entries() { yield 7 }', 78, /broke its contract: its `entries` gave something else: /],
])('%s: `verify` names it', async (_, entries, code, rule) => {
  const ran = await owm(['verify'], { cwd: await folderOf(entries) })
  expect(ran.code, ran.stderr).toBe(code)
  expect(ran.stderr).toMatch(rule)
  expect(ran.stderr, 'a hint').toMatch(/^owm: .*\n {5}\S/m)
})

test('without end and without waiting for anything: SIGTERM ends `verify`', async () => {
  const folder = await folderOf(
    "async *entries() { process.stderr.write('looking\\n'); for (;;) yield { id: '1', taskId: 'x' } }",
  )
  const verify = startOwm(['verify'], { cwd: folder })
  await untilSaid(verify, 'looking')
  expect(verify.child.exitCode, 'it still looks').toBeNull()
  verify.child.kill('SIGTERM')
  expect((await verify.ended).code).toBe(143)
})
