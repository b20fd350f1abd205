import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sinkChecks } from 'owm-producer/testing'
import plugin from './index.js'

const folder = await mkdtemp(join(tmpdir(), 'owm-sink-'))
after(() => rm(folder, { recursive: true, force: true }))

/** All tasks that have arrived so far, as JSON text, in order. */
async function arrived() {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.flatMap((text) => text.trimEnd().split('\n'))
}

// Options as in a configuration.
const checks = sinkChecks({ plugin, module: import.meta.resolve('./index.js'), options: { folder }, arrived })

for (const check of checks) test(check.name, () => check.run())
