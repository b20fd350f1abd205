/** `owm verify` and `owm doctor` of a sink by others, which has no address: its name stands for that. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { VerifyResult } from '../../src/commands/verify.js'
import { base } from '../cli/scene.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'

const plugin = `
  import { appendFileSync, existsSync, readFileSync } from 'node:fs'
  import { defineSink, z } from ${JSON.stringify(join(root, 'dist', 'index.js'))}
  const open = () => ({
    guarantee: 'at-least-once',
    async deliver({ tasks }) {
      appendFileSync('got.jsonl', tasks.map((task) => task + '\\n').join(''))
      return tasks.map(() => 'delivered')
    },
    async *entries() {
      const lines = existsSync('got.jsonl') ? readFileSync('got.jsonl', 'utf8').split('\\n').filter(Boolean) : []
      for (const [at, line] of lines.entries()) yield { id: 'line ' + at, taskId: JSON.parse(line).task_id }
    },
    ...(process.env.FORGETS && { receipts: async () => [] }),
    async doctor() { return [] },
  })
  export default defineSink({ name: 'plain', description: 'plain', options: z.strictObject({}), checks: {}, open })`

it('what it lost is told', async () => {
  const cwd = await folderWith({ ...base, sink: { use: './plain.mjs' } })
  await writeFile(join(cwd, 'plain.mjs'), plugin)
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0 })
  expect(await owm(['verify'], { cwd })).toMatchObject({ code: 0 })
  const got = join(cwd, 'got.jsonl')
  const lines = (await readFile(got, 'utf8')).split('\n')
  await writeFile(got, lines.slice(2).join('\n'))
  const { code, json } = await owmJson<VerifyResult>(['verify'], { cwd })
  expect({ code, json }).toMatchObject({ code: 75, json: { different: 1, sink: { address: null } } })
  expect(json.slots[0]?.differences).toMatchObject([{ kind: 'missing', count: 2 }])
  const { stdout } = await owm(['doctor'], { cwd, env: { FORGETS: '1' } })
  expect(stdout).toMatch(/was delivered, and the sink has no receipt of it/)
})
