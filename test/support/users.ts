/** A second, real user of this machine: what a stranger does to root's files, and root's owm to a stranger's. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { bin, type Ran } from './cli.js'
import { isRoot } from './conditions.js'

const run = promisify(execFile)

export interface Stranger {
  readonly uid: number
  readonly name: string
  /** Runs a shell script as this user. Fails where it fails. */
  sh(script: string, cwd?: string): Promise<string>
  /** Runs owm as this user. */
  owm(args: readonly string[], cwd: string): Promise<Ran>
}

/** A suite with a second user, who is made for it. It needs root: elsewhere it is listed as not run, in CI it fails. */
export function describeWithStranger(name: string, suite: (stranger: () => Stranger) => void): void {
  if (!isRoot) {
    const title = `${name} (not run: a second user needs root)`
    if (process.env['CI'])
      it(title, () => {
        throw new Error('these tests make a second user, which needs root')
      })
    else describe.skip(title, () => it('…', () => undefined))
    return
  }
  describe(name, () => {
    let made: Stranger | undefined
    let home: string
    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), 'owm-stranger-'))
      const user = `owm-${process.pid}`
      await run('useradd', ['--system', '--no-create-home', '--home-dir', home, '--shell', '/bin/sh', user])
      const uid = Number((await run('id', ['-u', user])).stdout)
      await run('chown', [user, home])
      made = strangerOf(user, uid, home)
    })
    afterAll(async () => {
      if (made) await run('userdel', [made.name])
      await rm(home, { recursive: true, force: true })
    })
    suite(() => {
      if (!made) throw new Error('there is no second user yet')
      return made
    })
  })
}

function strangerOf(name: string, uid: number, home: string): Stranger {
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${name}`, '--clear-groups']
  const env = { PATH: process.env['PATH'] ?? '', HOME: home }
  return {
    uid,
    name,
    sh: async (script, cwd = home) =>
      (await run(as[0] ?? '', [...as.slice(1), 'sh', '-ec', script], { cwd, env })).stdout,
    owm: (args, cwd) =>
      new Promise((resolve) => {
        const command = [...as.slice(1), process.execPath, bin, ...args]
        const child = execFile(as[0] ?? '', command, { cwd, env, timeout: 50_000 }, (_error, stdout, stderr) =>
          resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
        )
      }),
  }
}
