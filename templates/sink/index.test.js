import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sinkChecks } from 'owm-producer/testing'
import plugin from './index.js'

const parent = await mkdtemp(join(tmpdir(), 'owm-sink-'))
after(() => rm(parent, { recursive: true, force: true }))
const folder = join(parent, 'tasks')

/** All tasks that have arrived so far, as JSON text, in order. */
async function arrived() {
  await mkdir(folder, { recursive: true })
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.flatMap((text) => text.trimEnd().split('\n'))
}

/** How its target can fail: the sink must throw then. `begin` returns what ends the fault. */
const gone = {
  name: 'the folder is gone',
  async begin() {
    await rename(folder, `${folder}.away`)
    await writeFile(folder, 'a file in its place')
    return async () => {
      await rm(folder)
      await rename(`${folder}.away`, folder)
    }
  },
}

const checks = sinkChecks({
  plugin,
  module: import.meta.resolve('./index.js'),
  // Options as in a configuration.
  options: { folder },
  arrived,
  faults: [gone],
})

for (const check of checks) test(check.name, () => check.run())
