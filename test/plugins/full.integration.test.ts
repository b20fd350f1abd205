import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, owm } from '../support/cli.js'

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
