/** The README's way from nothing to a schedule, done word by word: with a list of one's own, and a crontab. */
import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'
import { blocksOf, folderWithOwm } from '../support/pages.js'

const run = promisify(execFile)
const list = 'City;Lat;Lng;Population\nTromsø;69.65;18.96;77000\nBergen;60.39;5.32;291000\n'

/** The commands of a section, a line each. */
function commandsOf(readme: string, section: string): string[] {
  const [, text = ''] = new RegExp(`^## ${section}\\n([\\s\\S]*?)^## `, 'm').exec(readme) ?? []
  const block = blocksOf(text).find(({ language }) => language === 'sh')
  return block?.text.trim().split('\n') ?? []
}

it('its commands lead from nothing to a line in the crontab', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const home = await temporaryFolder()
  const programs = await folderWithOwm()
  // cron's own is root's, and this machine's.
  await writeFile(
    join(programs, 'crontab'),
    '#!/bin/sh\nif [ "$1" = - ]; then tab=$(cat); echo "$tab" > "$HOME/tab"; else cat "$HOME/tab"; fi\n',
  )
  await chmod(join(programs, 'crontab'), 0o755)
  const clock = {
    NODE_OPTIONS: `--import ${join(root, 'test/support/clock-at.mjs')}`,
    OWM_TEST_NOW: '2026-11-23T10:17:00Z',
  }
  const env = { ...clock, HOME: home, PATH: [programs, process.env['PATH']].join(delimiter) }
  const shell = async (command: string, cwd = join(home, 'owm')) => run('bash', ['-c', command], { cwd, env })

  const [init = '', dryRun = '', produce = ''] = commandsOf(readme, 'Your own list')
  await shell(init, home)
  const file = join(home, 'owm', '.owmrc.yaml')
  await writeFile(join(home, 'owm', 'cities.csv'), list)
  const starter = await readFile(file, 'utf8')
  const edited = starter
    .replace(/^source:\n( .*\n)+/m, 'source:\n  use: static-list\n  file: ./cities.csv\n')
    .replace(/^sink:\n( .*\n)+/m, 'sink:\n  use: jsonl\n  path: ./tasks.jsonl\n')
  expect(edited).not.toBe(starter)
  await writeFile(file, edited)
  expect((await shell(dryRun)).stdout).toContain('Bergen')
  expect((await shell(produce)).stdout).toContain('2 tasks delivered to jsonl')

  const [doctor = '', install = ''] = commandsOf(readme, 'Into cron')
  // Its home, for the test alone, is in /tmp.
  expect((await shell(doctor)).stdout).toMatch(/^note +outbox-cleaned[\s\S]*checks: 1 found something\n$/m)
  await shell('echo "MAILTO=me@example.com" | crontab -; '.concat(install))
  const tab = await readFile(join(home, 'tab'), 'utf8')
  expect(tab).toMatch(/^MAILTO=me@example\.com\n[\s\S]*\n0 \* \* \* \* .*produce -q/)
  // As cron would start it, a second start of this hour: nothing comes twice.
  const [, line = ''] = /^0 \* \* \* \* +(.*)$/m.exec(tab) ?? []
  await run('/bin/sh', ['-c', line.replaceAll('\\%', '%')], { env: { ...env, PATH: '/usr/bin:/bin' } })
  expect((await readFile(join(home, 'owm', 'tasks.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(2)
})
