/** `owm outbox purge`: asks, previews, shrinks the file, and says what it did. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sqlite3 from 'sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bin, folderWith, owm, owmJson, temporaryFolder } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'

interface Purged {
  removed: { delivered: number; dead: number }
  error?: { message: string; hint: string }
}

const config = (path = './o.db') => ({
  source: { use: 'simulated-db', count: 20_000 },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path },
})

async function delivered(path?: string): Promise<string> {
  const cwd = await folderWith(config(path))
  expect((await owm(['produce', '-q'], { cwd })).code).toBe(0)
  return cwd
}

async function execute(file: string, sql: string): Promise<void> {
  const database = new sqlite3.Database(file)
  await new Promise<void>((resolve, reject) => database.exec(sql, (error) => (error ? reject(error) : resolve())))
  await new Promise<void>((resolve) => database.close(() => resolve()))
}

const sizeOf = async (cwd: string): Promise<number> => (await stat(join(cwd, 'o.db'))).size

const purge = (cwd: string, ...args: string[]) => owmJson<Purged>(['outbox', 'purge', ...args], { cwd })

it('--dry-run removes nothing and says what it would, and what a failover would miss then', async () => {
  const cwd = await delivered()
  const before = await sizeOf(cwd)
  const { code, stdout } = await owm(['outbox', 'purge', '-n'], { cwd })
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/20,000 delivered.*would be[\s\S]*failover/),
  })
  expect((await purge(cwd, '--dry-run', '--older-than', '1h')).json.removed).toEqual({ delivered: 0, dead: 0 })
  expect(await sizeOf(cwd)).toBe(before)
  expect((await purge(cwd)).json.removed).toEqual({ delivered: 20_000, dead: 0 })
})

describe('at a terminal', () => {
  async function answered(cwd: string, answer: string, args = ''): Promise<string> {
    const terminal = spawn('script', ['-qec', `${process.execPath} ${bin} outbox purge ${args}`, '/dev/null'], { cwd })
    let said = ''
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!said.includes('[y/N]') && (said + text).includes('[y/N]')) terminal.stdin.write(answer)
      said += text
    })
    const [code] = await once(terminal, 'close')
    expect(code, said).toBe(0)
    return said
  }

  it('it asks; only yes removes', async () => {
    const cwd = await delivered()
    for (const no of ['n\n', '\n', '\u0004']) expect(await answered(cwd, no)).toMatch(/0 delivered tasks .*removed/)
    expect(await answered(cwd, 'y\n')).toMatch(/Remove 20,000 .*failover[\s\S]*20,000 delivered tasks .*removed/)
  })

  it('--yes asks nothing', async () => {
    const said = await answered(await delivered(), 'n\n', '--yes')
    expect(said).toMatch(/20,000 delivered tasks/)
    expect(said).not.toContain('[y/N]')
  })
})

describe('the file', () => {
  it('shrinks, whether it was set to give back its space or is of an older version', async () => {
    for (const isOlder of [false, true]) {
      const cwd = await delivered()
      if (isOlder) {
        await execute(join(cwd, 'o.db'), 'PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM')
      }
      const before = await sizeOf(cwd)
      await purge(cwd)
      expect(await sizeOf(cwd)).toBeLessThan(before / 5)
      expect((await owm(['produce', '-q'], { cwd })).code).toBe(0)
    }
  })

  // Only root may mount a small disk.
  it.runIf(isRootOnLinux)(
    'that has no room to become smaller: what was removed is said, and how much room it takes',
    async () => {
      const disk = join(await temporaryFolder(), 'disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m,mode=700', 'tmpfs', disk])
      onTestFinished(() => void execFileSync('umount', [disk]))
      const cwd = await delivered(join(disk, 'o.db'))
      // Pending tasks stay, and would have to be rewritten.
      expect((await owm(['produce', '-q', '--no-flush'], { cwd })).code).toBe(0)
      await execute(
        join(disk, 'o.db'),
        'PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM; PRAGMA journal_mode = WAL',
      )
      const { size } = await stat(join(disk, 'o.db'))
      await writeFile(join(disk, 'ballast'), Buffer.alloc(32 * 1024 * 1024 - size - 2_500_000))
      const { code, json } = await purge(cwd)
      expect(json).toMatchObject({
        removed: { delivered: 20_000, dead: 0 },
        error: { message: expect.stringContaining('no room'), hint: expect.stringMatching(/\d+ MB free/) },
      })
      expect(code).toBe(74)
    },
  )
})
