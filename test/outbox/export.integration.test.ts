/** `owm outbox export`: what the outbox holds, for a spreadsheet or a program. */
import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import type { ExportResult } from '../../src/commands/outbox/export.js'
import { base, list, outbox, retry, slot, snapshot } from '../cli/scene.js'
import { bin, folderWith, owm, owmJson, type Ran, startOwm, until } from '../support/cli.js'

const exportOf = (cwd: string, ...args: string[]): Promise<Ran> => owm(['outbox', 'export', ...args], { cwd })

const refusing = `import { defineSink, z } from 'owm-producer'
  export default defineSink({ name: 'mine', description: 'mine', 
    options: z.object({ pin: z.string().meta({ secret: true }) }),
    open: ({ pin }) => ({ guarantee: 'at-least-once',
      deliver: async ({ tasks }) => tasks.map((task) =>
        task.includes('Bad') ? { refused: '-1+1 https://u:pw@h/?password=abc&x=1 ' + pin } : 'delivered') }) })\n`

const reason = '-1+1 https://***@h/?password=***&x=1 ***'

const places = [
  { city: '=1+1', latitude: -1.5, longitude: 2, state: '@SUM(A1)', id: '123456789012345678901' },
  { city: '+49', latitude: 1, longitude: 2, note: '\t=cmd|x' },
  { city: '-2.5e3', latitude: 2, longitude: 2 },
  { city: 'a "b", c\nd', latitude: 3, longitude: 2, state: '\r=A1' },
  { city: 'Bad', latitude: 4, longitude: 2, state: '＝A1' },
  { city: ' =A1', latitude: 5, longitude: 2 },
  { city: '-cmd', latitude: 91, longitude: 2 },
]

async function withAll(): Promise<string> {
  const cwd = await folderWith({
    source: list(...places),
    sink: { use: './sink.mjs', pin: 'open-sesame' },
    outbox,
    retry,
  })
  await writeFile(join(cwd, 'sink.mjs'), refusing)
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(75)
  const later = ['produce', '--slot', '2026-11-23T11:00:00Z', '--no-flush']
  expect((await owm(later, { cwd })).code).toBe(0)
  return cwd
}

describe('owm outbox export', () => {
  it('a record each, as CSV that executes nothing in a spreadsheet, and as NDJSON', async () => {
    const cwd = await withAll()
    const before = await snapshot(cwd)
    const { code, stdout, stderr } = await exportOf(cwd)
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: '14 records exported (5 delivered, 6 pending, 1 dead, 2 rejected)\n',
    })
    expect(stdout.split('\r\n').length).toBeGreaterThan(14)
    const rows: Record<string, string>[] = parse(stdout, { columns: true, record_delimiter: '\r\n' })
    expect(rows.map(({ status }) => status)).toEqual([
      ...Array(5).fill('delivered'),
      ...Array(6).fill('pending'),
      ...['dead', 'rejected', 'rejected'],
    ])
    const delivered = rows.slice(0, 5)
    expect(delivered).toMatchObject([
      { city: "'=1+1", latitude_deg: '-1.5', state: "'@SUM(A1)", location_id: '123456789012345678901', slot },
      { city: '+49', more: '{"note":"=cmd|x"}' },
      { city: '-2.5e3' },
      { city: 'a "b", c\nd', state: "'=A1" },
      { city: "'=A1" },
    ])
    expect(rows.find(({ status }) => status === 'dead')).toMatchObject({
      reason: `'${reason}`,
      city: 'Bad',
      state: "'＝A1",
    })
    // Except for plain numbers, no cell begins like a formula.
    for (const cell of rows.flatMap((row) => Object.values(row)))
      if (!/^[+-]?[\d.]+(e\d+)?$/.test(cell)) expect(cell).not.toMatch(/^\s*[=+\-@＝]|^[\t\r]/)

    const lines = (await exportOf(cwd, '--format', 'ndjson', '--state', 'dead', '--state', 'rejected', '--slot', slot))
      .stdout
    const records: { state: string; task: { city: string } | null; record: string | null }[] = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(records).toMatchObject([
      { state: 'dead', task: { city: 'Bad' }, reason },
      { state: 'rejected', task: null, record: expect.stringContaining('-cmd'), position: expect.any(String) },
    ])
    expect(await snapshot(cwd)).toEqual(before)
  })

  it('a file has its name only once it is whole, and replaces none by itself', async () => {
    const cwd = await withAll()
    const out = join(cwd, 'all.csv')
    const { json } = await owmJson<ExportResult>(['outbox', 'export', '--out', out], { cwd })
    expect(json).toMatchObject({ out, format: 'csv', exported: { delivered: 5, pending: 6, dead: 1, rejected: 2 } })
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    for (const args of [[], ['--force', '--state', 'dead']]) {
      const { code } = await exportOf(cwd, '--out', out, ...args)
      expect(code).toBe(args.length > 0 ? 0 : 2)
    }
    expect((await readFile(out, 'utf8')).split('\r\n')).toHaveLength(3)
    const before = await snapshot(cwd)
    const wrong = [
      ['--out', 'o.db', '--force'],
      ['--out', 'o.db-wal', '--force'],
      ['--out', '/dev/null', '--force'],
      ['--run', 'ffffffff-0000'],
      ['--json'],
    ]
    for (const args of wrong) expect((await exportOf(cwd, ...args)).code, args.join(' ')).toBe(2)
    expect(await snapshot(cwd)).toEqual(before)
  })

  it('200,000 tasks in little memory: a reader that leaves early is no failure, a kill leaves no half', async () => {
    const many = { ...base, source: { use: 'simulated-db', count: 200_000 } }
    const cwd = await folderWith(many)
    expect((await owm(['produce', '--slot', slot, '--no-flush'], { cwd })).code).toBe(0)
    const out = join(cwd, 'all.ndjson')
    const args = ['outbox', 'export', '--format', 'ndjson', '--out', out]
    const { child, ended } = startOwm(args, { cwd })
    const part = await until(async () => (await readdir(cwd)).find((name) => name.startsWith('all.ndjson.part')))
    await until(async () => (await stat(join(cwd, part))).size > 0)
    child.kill('SIGKILL')
    await ended
    expect(await readdir(cwd)).not.toContain('all.ndjson')
    const { code, stderr } = await owm(args, { cwd, node: ['--max-old-space-size=64'] })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { stdout } = await promisify(execFile)('wc', ['-l', out])
    expect(stdout).toMatch(/^200000 /)
    const piped = `${process.execPath} ${bin} outbox export | head -n 2 | wc -l; echo "code \${PIPESTATUS[0]}"`
    const ran = await promisify(execFile)('bash', ['-c', piped], { cwd })
    expect(ran).toMatchObject({ stdout: '2\ncode 0\n' })
    expect(ran.stderr).not.toMatch(/EPIPE|Error/)
  })
})
