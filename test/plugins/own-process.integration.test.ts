/** What the suite finds of a source only where owm runs it in another process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { sourceChecks } from '../../src/plugins/conformance/index.js'
import { loadSource } from '../../src/plugins/load.js'
import { root, temporaryFolder } from '../support/cli.js'

const library = JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)

/** The check that kills, for a source of seven places; `before` is done there as it is loaded. */
async function killed(before: string, begin = 'Number(resume ?? 0)', resume = 'String(from + 2)'): Promise<void> {
  const module = join(await temporaryFolder(), 'mine.mjs')
  await writeFile(
    module,
    `import { writeSync } from 'node:fs'
     import { defineSource, z } from ${library}
     const known = new Map()
     if (/runner\\.js$/.test(process.argv[1])) { ${before} } // not in this process
     const all = [1, 2, 3, 4, 5, 6, 7].map((n) => ({ id: n, city: 'C' + n, latitude: n, longitude: n }))
     export default defineSource({ name: 'mine', description: 'mine', options: z.strictObject({}),
       open: () => ({ async *read(resume) {
         for (let from = ${begin}; from < 7; from += 2) {
           known.set('k' + from, from + 2)
           yield { locations: all.slice(from, from + 2), resume: ${resume}, position: (index) => 'place ' + index }
         }
       } }) })`,
  )
  const plugin = await loadSource(module, '.')
  const checks = sourceChecks({ plugin, module, options: {}, count: 7 })
  await checks.find(({ name }) => name.includes('killed'))?.run()
}

test('one that keeps its contract passes', async () => {
  await killed('')
})

test('its checkpoint means something to its own process alone', async () => {
  await expect(killed('', 'resume ? (known.get(resume) ?? 99) : 0', "'k' + from")).rejects.toThrow(/deeply|deep-equal/)
})

test.each([
  ['it prints to standard output', "console.log('here I am')", /printed "here I am.*standard output/],
  ['it writes there', "writeSync(1, 'here I am')", /standard output/],
  ['it sets the exit code', 'process.exitCode = 3', /exit code/],
  ['it sets the exit code at the very end', "process.on('exit', () => { process.exitCode = 0 })", /exit code/],
])('%s', async (_, before, message) => {
  await expect(killed(before)).rejects.toThrow(message)
})
