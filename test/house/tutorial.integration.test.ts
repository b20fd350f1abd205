/** docs/tutorial.md, done word by word: its files are written, its commands run, what they print is compared. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'
import { blocksOf, commandsOf, folderWithOwm, printsWhatItShows } from '../support/pages.js'

it('every file and every command of it', async () => {
  const blocks = blocksOf(await readFile(join(root, 'docs', 'tutorial.md'), 'utf8'))
  const cwd = await temporaryFolder()
  const path = await folderWithOwm()

  const files = blocks.filter(({ file }) => file !== undefined)
  for (const { file = '', text } of files) await writeFile(join(cwd, file), text)
  const commands = blocks.flatMap(commandsOf)
  expect({ files: files.length, commands: commands.length, blocks: blocks.length }).toEqual({
    files: 2,
    commands: 4,
    blocks: 3,
  })
  for (const one of commands) await printsWhatItShows(one, cwd, path)

  const tasks = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')
  expect(tasks.map((task): unknown => JSON.parse(task).city)).toEqual(['Longyearbyen', 'Tromsø'])
})
