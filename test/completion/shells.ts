/** What the tests of completion in real shells share. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { base, slot } from '../cli/scene.js'
import { bin, owm } from '../support/cli.js'

export interface Scene {
  /** A folder with two pipelines, of which `hourly` has one run. */
  cwd: string
  /** With `owm` in PATH. */
  env: Record<string, string>
  runId: string
  remove(): Promise<void>
}

export async function madeScene(): Promise<Scene> {
  const cwd = await mkdtemp(join(tmpdir(), 'owm-test-'))
  const { source, sink, outbox } = base
  await writeFile(
    join(cwd, '.owmrc.json'),
    JSON.stringify({ sink, outbox, pipelines: { hourly: { source }, daily: {} } }),
  )
  await symlink(bin, join(cwd, 'owm'))
  const { stdout } = await owm(['produce', '--pipeline', 'hourly', '--slot', slot, '--json'], { cwd })
  const { runId }: { runId: string } = JSON.parse(stdout)
  const env = { PATH: [cwd, process.env['PATH']].join(delimiter), HOME: cwd, TERM: 'dumb' }
  return { cwd, env, runId, remove: () => rm(cwd, { recursive: true, force: true }) }
}
