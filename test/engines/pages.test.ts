/** The commands of docs/deploy/cron.md, docs/deploy/systemd.md and docs/upgrade.md, in a folder for each page. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { PrintResult } from '../../src/commands/init.js'
import { folderWith, owmJson, root } from '../support/cli.js'
import { blocksOf, folderWithOwm } from '../support/pages.js'

const config = {
  schedule: { cron: '0 * * * *' },
  source: { use: 'simulated-db', count: 10 },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './outbox.db' },
}

it.each(['deploy/cron.md', 'deploy/systemd.md', 'upgrade.md'])('docs/%s: each block works', async (page) => {
  const cwd = await folderWith(config)
  const env = { PATH: [await folderWithOwm(), process.env['PATH']].join(delimiter), HOME: cwd }
  const blocks = blocksOf(await readFile(join(root, 'docs', page), 'utf8')).filter(({ language }) => language === 'sh')
  expect(blocks.length).toBeGreaterThan(0)
  const { json } = await owmJson<PrintResult>(['init', '--print', 'systemd'], { cwd })
  for (const { name, text } of json.files) await writeFile(join(cwd, name), text)
  if (page === 'upgrade.md') await owmJson(['produce'], { cwd })
  expect(blocks.some(({ text }) => text.includes('systemd-analyze'))).toBe(page.endsWith('systemd.md'))
  for (const { text } of blocks) {
    const ran = await promisify(execFile)('sh', ['-euc', text], { cwd, env })
    if (text.includes('systemd-analyze')) expect(ran.stderr).toBe('')
  }
})
