import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'

it('oclif.manifest.json is what the commands give', async () => {
  const copy = await temporaryFolder()
  for (const name of ['package.json', 'bin']) await cp(join(root, name), join(copy, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await mkdir(join(copy, 'dist'))
  await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  await promisify(execFile)(process.execPath, [join(root, 'node_modules', 'oclif', 'bin', 'run.js'), 'manifest'], {
    cwd: copy,
    env: { ...process.env, OCLIF_SKIP_UPDATE_CHECK: 'true' },
  })
  const [made, committed] = await Promise.all(
    [copy, root].map((folder) => readFile(join(folder, 'oclif.manifest.json'), 'utf8')),
  )
  expect(JSON.parse(committed ?? '')).toEqual(JSON.parse(made ?? ''))
})
