/** The README's way from nothing to a schedule, done word by word: with a list of one's own, and a crontab. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { installNodes, type Nodes, versions } from '../support/nodes.js'
import { blocksOf, folderWithOwm } from '../support/pages.js'

const run = promisify(execFile)
const list = 'City;Lat;Lng;Population\nTromsø;69.65;18.96;77000\nBergen;60.39;5.32;291000\n'

/** The commands of a section, a line each. */
function commandsOf(readme: string, section: string): string[] {
  const [, text = ''] = new RegExp(`^## ${section}\\n([\\s\\S]*?)^## `, 'm').exec(readme) ?? []
  const block = blocksOf(text).find(({ language }) => language === 'sh')
  return block?.text.trim().split('\n') ?? []
}

/** The long form has other versions of Node, too. */
let nodes: Nodes | undefined
beforeAll(async () => {
  if (isLong) nodes = await installNodes()
}, 300_000)
afterAll(() => nodes?.remove())

const name = 'three commands lead from the installation to a monitored schedule that catches up'
const here = 'the Node that runs the tests'
it.each([here, ...(isLong ? versions : [])] as const)(`${name}, on %s`, async (version) => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const home = await temporaryFolder()
  const programs = await folderWithOwm()
  // cron's own is root's, and this machine's.
  await writeFile(
    join(programs, 'crontab'),
    '#!/bin/sh\nif [ "$1" = - ]; then tab=$(cat); echo "$tab" > "$HOME/tab"; else cat "$HOME/tab"; fi\n',
  )
  await chmod(join(programs, 'crontab'), 0o755)
  // A check, as healthchecks.io has them.
  const pings: string[] = []
  const check = createServer((request, response) => {
    pings.push(new URL(request.url ?? '', 'http://check').pathname)
    response.end()
  })
  await once(check.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void check.close())
  const address = check.address()
  const ping = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/your-id`
  const at = (time: string) => ({
    NODE_OPTIONS: `--import ${join(root, 'test/support/clock-at.mjs')}`,
    OWM_TEST_NOW: `2026-11-23T${time}:00Z`,
  })
  const node = version === here || !nodes ? [] : [nodes.folderOf(version)]
  const env = { ...at('10:17'), HOME: home, PATH: [programs, ...node, process.env['PATH']].join(delimiter) }
  const shell = async (command: string, cwd = join(home, 'owm')) => run('bash', ['-c', command], { cwd, env })

  if (version !== here) expect((await shell('node --version', home)).stdout).toContain(`v${version}`)

  const [init = '', produce = ''] = commandsOf(readme, 'Your own list')
  await writeFile(join(home, 'cities.csv'), list)
  const own = init.replace('redis://127.0.0.1:6379', 'jsonl').replace('https://hc-ping.com/your-id', ping)
  expect((await shell(own, home)).stderr).toContain('2 locations')
  expect((await shell(produce)).stdout).toContain('2 tasks delivered to jsonl')
  expect(pings).toEqual(['/your-id/start', '/your-id'])

  const [install = ''] = commandsOf(readme, 'Into cron')
  await shell('echo "MAILTO=me@example.com" | crontab -; '.concat(install))
  const tab = await readFile(join(home, 'tab'), 'utf8')
  expect(tab).toMatch(/^MAILTO=me@example\.com\n[\s\S]*\n0 \* \* \* \* .*produce -q/)
  // As cron would start it: a second time in this hour, and when the machine was off for some.
  const [, line = ''] = /^0 \* \* \* \* +(.*)$/m.exec(tab) ?? []
  const start = (time: string) =>
    run('/bin/sh', ['-c', line.replaceAll('\\%', '%')], { env: { ...env, ...at(time), PATH: '/usr/bin:/bin' } })
  const tasks = async () => (await readFile(join(home, 'owm', 'tasks.jsonl'), 'utf8')).trim().split('\n')
  await start('10:20')
  expect(await tasks()).toHaveLength(2)
  expect((await start('14:00')).stdout).toBe('')
  expect(await tasks()).toHaveLength(4)
  expect((await shell('owm runs')).stdout).toContain('2026-11-23T14:00:00Z')
  // Its home, for the test alone, is in /tmp.
  expect((await shell('owm doctor')).stdout).toMatch(/^note +outbox-cleaned[\s\S]*checks: 1 found something\n$/m)
})
