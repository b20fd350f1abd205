/** Versions of Node beside the one that runs the tests: the npm package `node` brings their binaries. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The oldest one that owm supports, and newer ones. */
export const versions = ['20.19.0', '22', '24'] as const

export interface Nodes {
  /** The folder with the binary of a version, for PATH. */
  folderOf(version: (typeof versions)[number]): string
  remove(): Promise<void>
}

export async function installNodes(): Promise<Nodes> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-test-nodes-'))
  const packages = versions.map((version) => `node-${version}@npm:node@${version}`)
  await run('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', ...packages])
  return {
    folderOf: (version) => join(folder, 'node_modules', `node-${version}`, 'bin'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
