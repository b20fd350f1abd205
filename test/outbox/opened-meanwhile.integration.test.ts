import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { totalsOf } from '../../src/outbox/inspect/totals.js'
import { root, temporaryFolder } from '../support/cli.js'

/** Opens an outbox and closes it again until its standard input ends; prints how often. */
const opener = `
  const { openOutbox } = await import(${JSON.stringify(pathToFileURL(join(root, 'test/support/open-outbox.ts')).href)})
  const options = { waitMs: Infinity, batchSize: 1 }
  let isEnded = false
  process.stdin.on('end', () => { isEnded = true }).resume()
  let times = 0
  for (; !isEnded; times++) await (await openOutbox(process.argv[1], options)).close()
  console.log(times)`

test('an outbox can be looked at while others start and stop working on it', async () => {
  const path = join(await temporaryFolder(), 'outbox.db')
  const args = ['--import', 'tsx', '--input-type=module', '--eval', opener, path]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  const printed = once(child.stdout, 'data')
  while (!(await totalsOf(path))) expect(child.exitCode).toBe(null) // until it exists
  for (let times = 0; times < 150; times++) expect(await totalsOf(path)).toMatchObject({ pending: 0, dead: 0 })
  child.stdin.end()
  expect(Number(await printed)).toBeGreaterThan(20)
})
