/** `schedule:` with an outbox that a restart of the machine would delete. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CheckResult } from '../../src/commands/config/check.js'
import { bin, owm, owmJson } from '../support/cli.js'
import { isLinux, isRootOnLinux } from '../support/conditions.js'

/** A folder in another one, with a configuration whose outbox is in it, and the same without a schedule. */
async function folderIn(place: string, outbox = './new/o.db'): Promise<string> {
  const folder = await mkdtemp(join(place, 'owm-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const config = {
    source: { use: 'simulated-db', count: 2 },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: outbox },
  }
  const schedule = { cron: '0 * * * *' }
  await writeFile(join(folder, '.owmrc.json'), JSON.stringify({ ...config, schedule }))
  await writeFile(join(folder, 'unscheduled.json'), JSON.stringify(config))
  return folder
}

const outboxOf = async (cwd: string, ...args: string[]) => {
  const { json } = await owmJson<CheckResult>(['config', 'check', ...args], { cwd })
  return json.findings.find(({ about }) => about === 'outbox')
}

describe('an outbox that will not last', () => {
  it.each([tmpdir(), ...(isLinux ? ['/dev/shm'] : [])])(
    'in %s: a warning at each start, and in the check',
    async (place) => {
      const cwd = await folderIn(place)
      expect(await outboxOf(cwd)).toMatchObject({ ok: true, warning: true, hint: expect.stringContaining(place) })
      for (const _ of [1, 2])
        expect(await owm(['produce', '-q'], { cwd })).toMatchObject({
          code: 0,
          stderr: expect.stringMatching(/^owm: warning: the outbox .*\/new\/o\.db won't last: .*outbox\.path.*\n$/),
        })
      expect(await owm(['config', 'check'], { cwd })).toMatchObject({ code: 0 })
    },
  )

  it('without a schedule there is none', async () => {
    const cwd = await folderIn(tmpdir())
    const config = ['--config', 'unscheduled.json']
    expect(await outboxOf(cwd, ...config)).toMatchObject({ ok: true, hint: null })
    expect(await owm(['produce', '-q', ...config], { cwd })).toMatchObject({ code: 0, stderr: '', stdout: '' })
  })

  it.runIf(isLinux)('where the folder lasts there is none; where it is emptied all the same, there is', async () => {
    const cwd = await folderIn('/var/tmp')
    expect(await outboxOf(cwd)).toMatchObject({ ok: true, hint: null })
    expect(await owm(['produce', '-q'], { cwd })).toMatchObject({ code: 0, stderr: '', stdout: '' })
    // Another folder for temporary files.
    expect(await owm(['produce', '-q'], { cwd, env: { TMPDIR: cwd } })).toMatchObject({
      stderr: expect.stringContaining("won't last"),
    })
  })

  it.runIf(isRootOnLinux)('on a tmpfs anywhere', async () => {
    const cwd = await folderIn('/var/tmp', '/mnt/o.db')
    const script = 'mount -t tmpfs tmpfs /mnt && cd "$1" && exec "$2" "$3" produce -q'
    const args = ['--mount', '/bin/sh', '-c', script, 'sh', cwd, process.execPath, bin]
    const { stderr } = await promisify(execFile)('unshare', args)
    expect(stderr).toMatch(/won't last: its folder is in memory/)
  })
})
