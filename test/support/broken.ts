/** A second build of owm, with a guard taken out. */
import { execFile } from 'node:child_process'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { root, temporaryFolder } from './cli.js'

/** Builds owm with texts of `src/<file>` replaced, each of which must be there exactly once: its `bin/run.js`. */
export async function brokenBuild(
  file: string,
  changes: readonly (readonly [text: string, by: string])[],
): Promise<string> {
  const folder = await temporaryFolder()
  for (const part of ['bin', 'src', 'package.json', 'oclif.manifest.json'])
    await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const path = join(folder, 'src', file)
  let code = await readFile(path, 'utf8')
  for (const [text, by] of changes) {
    const parts = code.split(text)
    expect(parts.length - 1, `how often src/${file} has: ${text}`).toBe(1)
    code = parts.join(by)
  }
  await writeFile(path, code)
  await promisify(execFile)(process.execPath, [join(root, 'scripts', 'build.mjs'), folder])
  return join(folder, 'bin', 'run.js')
}
