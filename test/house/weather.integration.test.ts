/** docs/weather.md: its configurations are good ones, and its numbers are what its commands print. */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { owm, root, temporaryFolder } from '../support/cli.js'
import { blocksOf, commandsOf, folderWithOwm, printsWhatItShows } from '../support/pages.js'

it('each command prints what it shows, under the configuration before it', async () => {
  const blocks = blocksOf(await readFile(join(root, 'docs', 'weather.md'), 'utf8'))
  const cwd = await temporaryFolder()
  const path = await folderWithOwm()
  await copyFile(join(root, 'examples', 'world-cities.csv'), join(cwd, 'world-cities.csv'))
  for (const block of blocks) {
    if (block.language === 'yaml') {
      await writeFile(join(cwd, '.owmrc.yaml'), block.text)
      const { code, stdout, stderr } = await owm(['config', 'check'], { cwd })
      expect({ code, stdout, stderr, text: block.text }).toMatchObject({ code: 0 })
    }
    for (const one of commandsOf(block)) await printsWhatItShows(one, cwd, path)
  }
  expect(blocks.filter(({ language }) => language === 'yaml').length).toBeGreaterThanOrEqual(3)
  expect(blocks.flatMap(commandsOf).length).toBeGreaterThanOrEqual(8)
})
