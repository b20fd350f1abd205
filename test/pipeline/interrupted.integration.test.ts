/** An error that a sink throws because a signal ended its wait is no failure of the sink. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { folderWith, owm, owmJson, root, startOwm, until } from '../support/cli.js'

const library = JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)
const waiting = `
  import { writeFileSync } from 'node:fs'
  import { defineSink, z } from ${library}
  const open = (_, { signal }) => ({
    guarantee: 'at-least-once',
    async deliver({ tasks }) {
      if (process.env.REPAIRED) return tasks.map(() => 'delivered')
      writeFileSync('waits', '')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      throw new Error('This operation was aborted')
    },
  })
  export default defineSink({ name: 'waiting', description: 'waits', options: z.strictObject({}), open })`

it.each(['produce', 'flush'])(
  '%s, ended by SIGTERM while its sink is at work, is interrupted and no more',
  async (command) => {
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 5 },
      sink: { use: './waiting.mjs' },
      outbox: { path: 'outbox.db' },
      breaker: { failures: 1 },
    })
    await writeFile(join(cwd, 'waiting.mjs'), waiting)
    if (command === 'flush') await owm(['produce', '--no-flush'], { cwd })
    const ran = startOwm([command], { cwd })
    await until(async () => existsSync(join(cwd, 'waits')))
    ran.child.kill('SIGTERM')
    const { code, stderr } = await ran.ended
    expect(code, stderr).toBe(143)
    expect(stderr).not.toContain('aborted')
    const { json } = await owmJson<{ runs: { failure: unknown; lastError: unknown }[] }>(['outbox', 'inspect'], { cwd })
    expect(JSON.stringify(json)).not.toContain('aborted')
    // Nor does it open the circuit.
    expect(await owm(['flush'], { cwd, env: { REPAIRED: '1' } })).toMatchObject({ code: 0 })
  },
)
