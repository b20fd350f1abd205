/** What `owm outbox inspect` shows of many tasks, on a narrow terminal and in a pipe. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { base } from './scene.js'

interface Inspected {
  matching: { runs: number; dead: number; rejected: number }
  reasons: { state: string; reason: string; count: number }[]
  tasks: unknown[]
}

const cause = 'the quota of this key is used up until the first of the month, says the service that gave it'

/** An outbox with 40 dead tasks of one cause, 80 rejected records and 3 runs. */
async function troubled(): Promise<string> {
  const bad = { city: 'Nowhere', latitude: 95, longitude: 2 }
  const places = Array.from({ length: 40 }, (_, id) => ({ id, city: `東京都 ${id}`, latitude: 1, longitude: 2 }))
  const cwd = await folderWith({
    ...base,
    source: { use: 'static-list', locations: [...places, ...Array.from({ length: 80 }, () => bad)] },
    sink: { use: './refuse.mjs' },
  })
  await writeFile(
    join(cwd, 'refuse.mjs'),
    `import { defineSink, z } from 'owm'
     const deliver = async ({ tasks }) => tasks.map(() => ({ refused: ${JSON.stringify(cause)} }))
     const open = () => ({ guarantee: 'at-least-once', deliver })
     export default defineSink({ name: 'refuse', description: 'refuses', options: z.strictObject({}), open })`,
  )
  expect((await owm(['produce'], { cwd })).code).toBe(75)
  const config = JSON.parse(await readFile(join(cwd, '.owmrc.json'), 'utf8'))
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...config, source: { use: 'simulated-db', count: 1 } }))
  for (let run = 0; run < 2; run++) await owm(['produce', '--no-flush'], { cwd })
  return cwd
}

describe('owm outbox inspect', () => {
  it('says how many of how many, and each cause once with its number, whole on 80 columns', async () => {
    const cwd = await troubled()
    for (const env of [{ COLUMNS: '80' }, { COLUMNS: '' }]) {
      const { code, stdout } = await owm(['outbox', 'inspect', '--state', 'dead'], { cwd, env })
      expect(code).toBe(0)
      expect(stdout.replaceAll('\n  ', ' ')).toContain(`\n40 dead: ${cause}\n`)
      expect(stdout).toContain('\ntasks: 20 of 40\n')
      expect(stdout).toContain('\nruns: 3\n')
    }
    const rejected = await owm(['outbox', 'inspect', '--state', 'rejected', '--limit', '2'], { cwd })
    expect(rejected.stdout).toContain('\ntasks: 2 of 80\n')
    expect(rejected.stdout).toContain('\nruns: 2 of 3\n')
    expect(rejected.stdout).toMatch(/^80 rejected: .*latitude.*$/m)
    const { json } = await owmJson<Inspected>(['outbox', 'inspect', '--state', 'dead', '--limit', '5'], { cwd })
    expect(json).toMatchObject({
      matching: { runs: 3, dead: 40, rejected: 80 },
      reasons: [{ state: 'dead', reason: cause, count: 40 }],
    })
    expect(json.tasks).toHaveLength(5)
  })

  it('says that a limit may leave out tasks that it does not count', async () => {
    const cwd = await folderWith(base)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    const shown = async (limit: number) =>
      (await owm(['outbox', 'inspect', '--state', 'delivered', '--limit', `${limit}`], { cwd })).stdout
    expect(await shown(3)).toContain('\ntasks: 3, as many as --limit allows: there may be more\n')
    expect(await shown(21)).toContain('\ntasks: 20\n')
  })

  it('cuts nothing in a pipe', async () => {
    const { stdout } = await owm(['outbox', 'inspect', '--state', 'dead'], { cwd: await troubled() })
    expect(stdout).not.toContain('…')
    expect(stdout.split(cause).length).toBeGreaterThan(20)
    expect(stdout).toMatch(/^RUN .* TIME +READ\/S +STARTED$/m)
  })

  it('says so where nothing matches', async () => {
    const cwd = await troubled()
    const { code, stdout } = await owm(['outbox', 'inspect', '--run', 'zzz'], { cwd })
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('No run has an id that begins with zzz.'),
    })
    expect((await owm(['outbox', 'retry', '4711'], { cwd })).stdout).toContain('no dead task has the SEQ 4711')
    const ofRun = await owm(['outbox', 'retry', '--run', 'zzz'], { cwd })
    expect(ofRun).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('No run whose id begins with zzz has a dead'),
    })
    const some = await owm(['outbox', 'retry', '1', '4711', '2'], { cwd })
    expect(some.stdout).toMatch(/^2 dead tasks put back, .*delivers them; no dead task has the SEQ 4711$/m)
  })
})

it('owm config show cuts no value in a pipe', async () => {
  const path = `/somewhere/${'long/'.repeat(30)}tasks.jsonl`
  const { stdout } = await owm(['config', 'show'], { cwd: await folderWith({ ...base, sink: { use: 'jsonl', path } }) })
  expect(stdout).toContain(path)
})
