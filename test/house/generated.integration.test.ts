import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../support/cli.js'

it('what is generated of docs/ and man/ is what `npm run docs` writes', async () => {
  const { documents }: { documents(): Promise<Record<string, string>> } = await import(
    join(root, 'scripts', 'docs.mjs')
  )
  const made = await documents()
  const names = ['commands.md', 'plugins.md', 'sources.md', 'troubleshooting.md']
  expect(Object.keys(made).sort()).toEqual([
    ...names.map((name) => join(root, 'docs', name)),
    join(root, 'man', 'owm.1'),
  ])
  for (const [path, text] of Object.entries(made)) expect(await readFile(path, 'utf8'), 'run `npm run docs`').toBe(text)
})
