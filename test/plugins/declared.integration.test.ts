/** What a source plugin declares, checked before it is opened: its schema, and how many locations it wants. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'

async function produceWith(options: string, more = ''): Promise<Ran> {
  const cwd = await folderWith({ source: { use: './bad.mjs' }, sink: { use: 'jsonl', path: 'tasks.jsonl' } })
  const module = `import { defineSource, z } from 'owm-producer'
export default defineSource({ name: 'bad', description: 'bad', options: ${options}, ${more}
  open: () => ({ async *read() {} }) })`
  await writeFile(join(cwd, 'bad.mjs'), module)
  return owm(['produce', '--outbox', 'o.db'], { cwd })
}

test.each(["'a'", '-1', '0.5', 'NaN'])(
  'a source that wants %s locations at least broke its contract',
  async (least) => {
    const { code, stderr } = await produceWith('z.strictObject({})', `minLocations: ${least},`)
    expect(code).toBe(78)
    expect(stderr).toMatch(/The source \.\/bad\.mjs broke its contract: its `minLocations` was .*\n {5}It is a whole/)
  },
)

test.each([
  ['throws', "z.any().refine(() => { throw new Error('boom') })", /boom/],
  ['has to be waited for', 'z.any().refine(async () => true)', /async/i],
])('a schema that %s broke its contract', async (_, schema, why) => {
  const { code, stderr } = await produceWith(schema)
  expect(code).toBe(78)
  expect(stderr).toMatch(/The source \.\/bad\.mjs broke its contract: checking its options threw: .*\n {5}Fix its/)
  expect(stderr).toMatch(why)
})
