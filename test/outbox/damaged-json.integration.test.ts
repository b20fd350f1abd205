/** A column whose JSON is damaged: 74, and the file and column are named. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { base, slot } from '../cli/scene.js'
import { doctor, wrongIn } from '../doctor/scene.js'
import { folderWith, owm } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

async function damaged(column: string, value: string): Promise<string> {
  const cwd = await folderWith(base)
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
  const database = await openDatabase(join(cwd, 'o.db'))
  const [table] = column.split('.')
  await database(`UPDATE ${table} SET ${column.replace(`${table}.`, '')} = '${value}'`)
  await database.close()
  return cwd
}

it.each([
  ['state.next_sink', 'x'],
  ['state.next_sink', '{"address":1}'],
  ['sink.addresses', 'x'],
  ['sink.sink_ids', '{}'],
  ['run.sinks', '["a"]'],
  ['run.cadence', '[]'],
])('%s is %s', async (column, value) => {
  const cwd = await damaged(column, value)
  expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({
    code: 74,
    stderr: expect.stringMatching(`o\\.db is damaged: .*${column}`),
  })
  expect(wrongIn(await doctor(cwd))).toContain('outbox-readable')
})
