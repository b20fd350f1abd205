/** `source.maxLocations` ends every command that reads a source without end. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { folderWith, owm, owmJson } from '../support/cli.js'

const plugin = `
import { existsSync } from 'node:fs'
import { defineSource, z } from 'owm'
export default defineSource({ name: 'endless', description: 'd', options: z.strictObject({}), open: () => ({
  async *read(resume = '0') {
    const last = existsSync('endless') ? Infinity : 1000
    for (let n = Number(resume); n < last; n += 100) {
      const locations = Array.from({ length: 100 }, (_, i) => ({ id: n + i, city: 'C' + i, latitude: 1, longitude: 2 }))
      yield { locations, resume: String(n + 100), position: (index) => 'n ' + (n + index) }
    }
  },
}) })`

async function scene(source: object = {}): Promise<string> {
  const cwd = await folderWith({
    source: { use: './endless.mjs', maxLocations: 1000, ...source },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    schedule: { cron: '0 * * * *' },
  })
  await writeFile(join(cwd, 'endless.mjs'), plugin)
  return cwd
}

const commands = [
  ['produce', '--slot', '2026-11-23T02:00:00Z'],
  ['produce', '--dry-run'],
  ['plan'],
  ['why', 'Nowhere'],
  ['verify', '--source'],
  ['report', '--out', 'report.html'],
]

it.each([
  ['', {}],
  [', whatever the filters let through', { where: { id: { lte: 149 } } }],
])('a list of maxLocations is read, a longer one refused by all that read it%s', async (_, filters) => {
  const cwd = await scene(filters)
  const whole = await owm(['produce', '--slot', '2026-11-23T01:00:00Z', '-q'], { cwd })
  expect(whole.code, whole.stderr).toBe(0)
  await writeFile(join(cwd, 'endless'), '')
  for (const command of commands) {
    const ran = await owm(command, { cwd, timeout: 20_000 })
    expect(ran, command.join(' ')).toMatchObject({ code: 78 })
    expect(ran.stderr).toContain('gave more than 1000 locations: it may never end')
  }
})

it('a run that is read on counts what it has read before', async () => {
  const cwd = await scene()
  await writeFile(join(cwd, 'endless'), '')
  for (const read of [1000, 0]) {
    const { code, json } = await owmJson<ProduceResult>(['produce', '--slot', '2026-11-23T01:00:00Z'], { cwd })
    expect(code).toBe(78)
    expect(json.sink.delivered).toBe(read)
  }
})
