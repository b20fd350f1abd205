/** docs/deploy/ecflow.md and deploy/ecflow, with a server: each slot once; one is aborted, and requeued. */
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { bin, owmJson, root, temporaryFolder, until } from '../support/cli.js'
import { entriesIn } from '../support/contents.js'
import { blocksOf } from '../support/pages.js'
import { startRedisProcess, type TestRedis } from '../support/redis.js'

const run = promisify(execFile)
const port = String(randomInt(20_000, 30_000))

let redis: TestRedis
let server: number | undefined
beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(async () => {
  if (server !== undefined) process.kill(server, 'SIGKILL')
  await redis?.stop()
})

it('serves each slot once, and aborts the one that finds Redis down until it is requeued', async () => {
  const cwd = await temporaryFolder()
  await symlink(join(root, 'deploy'), join(cwd, 'deploy'))
  const outage = join(cwd, 'outage')
  const owm = [
    '#!/bin/sh',
    `case "$*" in *T08:*) if [ -e '${outage}' ]; then REDIS_URL=redis://127.0.0.1:1; fi;; esac`,
    `exec ${process.execPath} ${bin} "$@"`,
  ]
  await writeFile(join(cwd, 'owm'), owm.join('\n'), { mode: 0o755 })
  await writeFile(outage, '')
  const { PATH } = process.env
  const env = {
    PATH: `${cwd}${delimiter}${PATH}`,
    HOME: cwd,
    ECF_PORT: port,
    ECF_HOST: 'localhost',
    ECF_DENIED: '1', // a job that outlives the server gives up

    REDIS_URL: redis.url,
  }
  const shell = async (commands: string): Promise<string> => (await run('sh', ['-euc', commands], { cwd, env })).stdout

  // Three hours of yesterday, whose time has come.
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
  const day = yesterday.replaceAll('-', '')
  const edits = [
    `sed -i 's/YMD 20261126 20991231/YMD ${day} ${day}/; s/HH 00 01 .*/HH 07 08 09/' owm.def`,
    `sed -i 's|/var/lib/owm|${cwd}|; $a retry: {attempts: 1}' owm.yaml\nexport ECF_HOME`,
  ]
  const blocks = blocksOf(await readFile(join(root, 'docs', 'deploy', 'ecflow.md'), 'utf8'))
  const [load = '', requeue = ''] = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text)
  const loaded = await shell(
    load.replace('export ECF_HOME', edits.join('\n')).replace(' &\n', ' &\necho $! > server.pid\n'),
  )
  server = Number(await readFile(join(cwd, 'suite', 'server.pid'), 'utf8'))
  expect(loaded).toContain(`repeat date YMD ${day}`)

  const task = async (): Promise<string> => {
    await delay(300) // a process for each look
    return (
      (await shell('ecflow_client --get_state=/owm')).split('\n').find((line) => line.includes('task produce')) ?? ''
    )
  }
  expect(await until(async () => /.* try:2 state:aborted.*/.exec(await task())?.[0])).toContain('owm ended with 75')
  expect(await shell('ecflow_client --get_state=/owm')).toContain('"07" "08" "09" # 1')
  await rm(outage)
  await shell(requeue)
  await until(async () => (await task()).includes('state:complete'))

  const entries = await entriesIn({ kind: 'redis-stream', url: redis.url, stream: 'owm-ingestion-stream' })
  const ids = entries.map((text): unknown => JSON.parse(text).task_id)
  expect({ entries: ids.length, different: new Set(ids).size }).toEqual({ entries: 3000, different: 3000 })
  const { json } = await owmJson<InspectResult>(['outbox', 'inspect', '--outbox', join(cwd, 'outbox.db')])
  const slots = new Set(json.runs.map(({ slot }) => slot))
  expect([...slots].sort()).toEqual(['07', '08', '09'].map((hour) => `${yesterday}T${hour}:00:00Z`))
})
