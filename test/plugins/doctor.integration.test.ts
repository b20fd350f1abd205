/** Plugins whose examination answers something else than it has promised, with owm as a process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'

const found = "{ code: 'far-side', verdict: 'wrong', found: 'it is down' }"

async function doctorOf(kind: 'Source' | 'Sink', answer: string, exitCode = 78): Promise<Ran> {
  const isSource = kind === 'Source'
  const cwd = await folderWith({
    source: { use: isSource ? './mine.mjs' : 'simulated-db' },
    sink: isSource ? { use: 'jsonl', path: 'tasks.jsonl' } : { use: './mine.mjs' },
    outbox: { path: 'o.db' },
  })
  const check = `{ about: 'the far side', why: 'it matters.', todo: 'Do it.', exitCode: ${exitCode} }`
  const module = `import { define${kind}, z } from 'owm-producer'
    const batch = { locations: [{ city: 'Ulm', latitude: 1, longitude: 2 }], resume: '', position: () => 'the first' }
    const deliver = async ({ tasks }) => tasks.map(() => 'delivered')
    export default define${kind}({ name: 'mine', description: 'mine', options: z.strictObject({}),
      checks: { 'far-side': ${check} },
      open: () => ({ async *read() { yield batch }, guarantee: 'at-least-once', deliver,
        doctor: async () => (${answer}) }) })`
  await writeFile(join(cwd, 'mine.mjs'), module)
  return owm(['doctor'], { cwd })
}

const answers: [string, string][] = [
  ['null', '`doctor` gave something else: '],
  ["'all is well'", '`doctor` gave something else: '],
  ['{}', '`doctor` gave something else: '],
  ["[{ code: 'far-side', verdict: 'Wrong', found: 'it is down' }]", 'gave something else at 0.verdict: '],
  ["[{ code: 'far-side', verdict: 'wrong' }]", 'gave something else at 0.found: '],
  ["[{ code: 'toString', verdict: 'fine', found: 'x' }]", '`doctor` found toString'],
]

test.each(answers)('a sink that finds %s broke its contract', async (answer, rule) => {
  const { code, stdout, stderr } = await doctorOf('Sink', answer)
  expect({ code, told: stdout + stderr }).toMatchObject({
    code: 78,
    told: expect.stringContaining('mine.mjs broke its'),
  })
  expect(stdout + stderr).toContain(rule)
})

test('so did a source', async () => {
  expect((await doctorOf('Source', 'null')).code).toBe(78)
})

test('what is wrong ends with the code of its check, which must be one of owm', async () => {
  expect((await doctorOf('Sink', `[${found}]`)).code).toBe(78)
  const { code, stdout, stderr } = await doctorOf('Sink', `[${found}]`, 7)
  expect(code).toBe(78)
  expect(stdout + stderr).toContain('the `exitCode` of its check far-side was 7')
})
