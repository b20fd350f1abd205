/** Whether somebody holds an outbox: what /proc/locks says of a file may be about another one. */
import { execFileSync } from 'node:child_process'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { FileLock, isLocked } from '../../src/files/lock.js'
import { temporaryFolder } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'

/** A lock file on a new volume, and the outbox beside it. */
async function onNewVolume(): Promise<{ outbox: string; lock: FileLock | undefined; inode: number }> {
  const disk = join(await temporaryFolder(), 'disk')
  await mkdir(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', disk])
  onTestFinished(() => void execFileSync('umount', [disk]))
  const outbox = join(disk, 'o.db')
  const lock = await FileLock.tryTake(`${outbox}-lock`)
  return { outbox, lock, inode: (await stat(`${outbox}-lock`)).ino }
}

// Only root may mount.
it.runIf(isRootOnLinux)('a lock with the same inode number on another volume is not ours', async () => {
  const [ours, another] = [await onNewVolume(), await onNewVolume()]
  onTestFinished(() => another.lock?.release())
  expect(ours.inode).toBe(another.inode)
  for (const { outbox } of [ours, another]) expect(await isLocked(outbox)).toBe(true)
  await ours.lock?.release()
  expect(await isLocked(ours.outbox)).toBe(false)
  expect(await isLocked(another.outbox)).toBe(true)
})
