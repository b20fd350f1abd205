import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'

const module = `import { defineSink, SinkFullError, z } from 'owm-producer'
export default defineSink({
  name: 'full', description: 'has no room', options: z.strictObject({}),
  open: () => ({
    guarantee: 'at-least-once',
    async deliver() {
      console.error('asked')
      throw new SinkFullError('There is no room.', { hint: 'Make some.' })
    },
  }),
})`

test("somebody else's sink that says that it is full is asked once, and the tasks wait", async () => {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 5 },
    sink: { use: './full.mjs' },
    outbox: { path: 'outbox.db' },
  })
  await writeFile(join(cwd, 'full.mjs'), module)
  const { code, stdout, stderr } = await owm(['produce'], { cwd })
  expect({ code, stderr }).toEqual({ code: 75, stderr: 'asked\nowm: There is no room.\n     Make some.\n' })
  expect(stdout).toContain('5 pending')
})

/** Runs `owm produce` with a sink whose `deliver` is this. */
async function delivering(deliver: string, ...args: string[]): Promise<Ran> {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 5 },
    sink: { use: './full.mjs' },
    outbox: { path: 'outbox.db' },
  })
  const begin = module.indexOf('async deliver()')
  const other = module.slice(0, begin).replace('SinkFullError', 'ChangedError, SinkFullError')
  await writeFile(join(cwd, 'full.mjs'), `${other}${deliver}\n  }),\n})`)
  return owm(['produce', ...args], { cwd })
}

test.each([
  ['SinkFullError', /^owm: The sink \.\/full\.mjs has no room for the tasks: x\n {5}Make room/m],
  ['ChangedError', /^owm: The sink \.\/full\.mjs isn't as it was left: x\n {5}The tasks wait/m],
])('a %s without a hint names the sink, and what to do', async (name, words) => {
  const { code, stderr } = await delivering(`async deliver() { throw new ${name}('x') }`)
  expect(code).toBe(75)
  expect(stderr).toMatch(words)
})

test('the log names the first task that a sink refused, not the first of its batch', async () => {
  const outcome = "(_, index) => (index < 2 ? 'delivered' : { refused: 'no' })"
  const deliver = `async deliver({ tasks }) { return tasks.map(${outcome}) }`
  const { code, stderr } = await delivering(deliver, '--log-format', 'json')
  expect(code).toBe(75)
  expect(stderr).toMatch(/"event":"tasks-dead".*"tasks":3,"firstSeq":3\b/)
})
