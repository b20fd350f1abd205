/** A dry run is as easily ended as any other. */
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, startOwm, until } from '../support/cli.js'
import { base } from './scene.js'

it('hears a signal in the midst of a source that never waits', async () => {
  const cwd = await folderWith({ ...base, source: { use: './endless.mjs' } })
  await writeFile(
    join(cwd, 'endless.mjs'),
    `import { writeFileSync } from 'node:fs'
     import { defineSource, z } from 'owm'
     export default defineSource({ name: 'endless', description: 'd', options: z.strictObject({}), open: () => ({
       async *read() {
         for (let i = 0; ; i++) {
           if (i === 100) writeFileSync('begun', '')
           yield { locations: [{ city: 'c' + i, latitude: 1, longitude: 2 }], resume: '' + i, position: () => '' + i }
         }
       },
     }) })`,
  )
  const running = startOwm(['produce', '--dry-run'], { cwd })
  await until(async () =>
    access(join(cwd, 'begun')).then(
      () => true,
      () => false,
    ),
  )
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(143)
})
