/** File systems without inodes for another file, though they have space. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { folderWith, owm } from '../support/cli.js'
import { isLinux, isRoot } from '../support/conditions.js'

const run = promisify(execFile)

function mounts(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A project with a file system of its own in `disk`, and how to say how many inodes that has: its root is one. */
async function project(sink: string, outbox: string) {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 20 },
    sink: { use: 'jsonl', path: sink },
    outbox: { path: outbox },
    retry: { attempts: 2, initialDelayMs: 5, maxDelayMs: 5 },
  })
  const disk = join(cwd, 'disk')
  await mkdir(disk)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=20m,nr_inodes=100', 'owm-test', disk])
  onTestFinished(async () => {
    await run('umount', ['--lazy', disk])
  })
  const allow = (inodes: number): Promise<unknown> => run('mount', ['-o', `remount,nr_inodes=${inodes}`, disk])
  return { cwd, allow }
}

const produce = ['produce', '--slot', '2026-11-23T10:00:00Z']

describe.runIf(isLinux && isRoot && mounts())('a file system without inodes', () => {
  test.each([
    [1, /tasks\.jsonl can't be opened now: ENOSPC.*\n.*`df -i`/],
    [2, /tasks\.jsonl can't be locked now: ENOSPC.*\n.*`df -i`/],
    [3, /receipts .*tasks\.jsonl\.receipts can't be written: ENOSPC.*\n.*`owm flush` writes the receipt/],
  ])("under jsonl's file, with %i of the 4 that it needs: exit 75, then all of it", async (inodes, message) => {
    const { cwd, allow } = await project('./disk/tasks.jsonl', './outbox.db')
    await allow(inodes)
    const ran = await owm(produce, { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 75 })
    expect(ran.stderr).toMatch(message)
    expect((await owm(['doctor'], { cwd })).stdout).toMatch(/jsonl-space: .*no inodes left/)
    await allow(100)
    expect(await owm(['flush', '--force'], { cwd })).toMatchObject({ code: 0 })
    const lines = (await readFile(join(cwd, 'disk', 'tasks.jsonl'), 'utf8')).trimEnd().split('\n')
    expect([lines.length, new Set(lines).size]).toEqual([20, 20])
    expect(await readFile(join(cwd, 'disk', 'tasks.jsonl.receipts'), 'utf8')).toContain('2026-11-23T10:00:00')
  })

  test.each([1, 2, 3, 4])('under an outbox, with %i: exit 74, and `df -i` is named', async (inodes) => {
    const { cwd, allow } = await project('./tasks.jsonl', './disk/outbox.db')
    await allow(inodes)
    const ran = await owm(produce, { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 74 })
    expect(ran.stderr).toContain('df -i')
    await allow(100)
    expect(await owm(produce, { cwd })).toMatchObject({ code: 0 })
  })
})
