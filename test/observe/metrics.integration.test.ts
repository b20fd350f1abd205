/** Metrics: the text file, and the Pushgateway. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { folderWith, owm, until } from '../support/cli.js'
import { startRedis } from '../support/redis.js'
import { at } from '../support/scheduled.js'
import { freePort, heard, seriesIn } from './heard.js'

const run = promisify(execFile)

const settings = (more: object = {}) => ({
  schedule: { cron: '0 * * * *' },
  source: { use: 'static-list', file: './list.csv' },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './state/outbox.db' },
  metrics: { textfile: './owm.prom' },
  ...more,
})

const list = 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n2,Bonn,50.7,7.1\n3,Nowhere,95,0\n'

async function folder(more: object = {}): Promise<string> {
  const cwd = await folderWith(settings(more))
  await writeFile(join(cwd, 'list.csv'), list)
  return cwd
}

const metricsIn = async (cwd: string, name = 'owm.prom') => seriesIn(await readFile(join(cwd, name), 'utf8'))

const seconds = (time: string): number => Date.parse(time) / 1000

test('a start writes them; one that fails leaves the last success as it was', async () => {
  const cwd = await folder()
  const noon = at(cwd, '2026-11-23T12:00:10Z')
  expect(await owm(['produce'], noon)).toMatchObject({ code: 0 })
  const first = await metricsIn(cwd)
  expect(first).toMatchObject({
    owm_run_exit_code: 0,
    'owm_run_locations{stored}': 2,
    'owm_run_locations{rejected}': 1,
    'owm_run_tasks{delivered}': 2,
    owm_outbox_pending_tasks: 0,
    owm_dead_tasks: 0,
    owm_lost_tasks: 0,
    'owm_slots_missed_total{maxAge}': 0,
    owm_run_slot_timestamp_seconds: seconds('2026-11-23T12:00:00Z'),
    owm_success_due_timestamp_seconds: seconds('2026-11-23T14:00:00Z'),
  })
  const { owm_last_success_timestamp_seconds: success = 0 } = first
  expect(success).toBeGreaterThan(seconds('2026-11-23T12:00:10Z') - 1)
  expect(((await stat(join(cwd, 'owm.prom'))).mode & 0o777).toString(8)).toBe('644')
  expect((await readdir(cwd)).filter((name) => name.startsWith('owm.prom'))).toEqual(['owm.prom'])

  // The source is gone, then the configuration is wrong, then the text file is: none of them is a success.
  await rm(join(cwd, 'list.csv'))
  expect(await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))).not.toMatchObject({ code: 0 })
  const failed = await metricsIn(cwd)
  expect(failed).toMatchObject({
    owm_last_success_timestamp_seconds: success,
    owm_success_due_timestamp_seconds: seconds('2026-11-23T14:00:00Z'),
  })
  expect(failed['owm_run_exit_code']).not.toBe(0)
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ source: { use: 'no-such-source' } })))
  await rm(join(cwd, 'owm.prom'))
  expect(await owm(['produce'], at(cwd, '2026-11-23T14:00:10Z'))).toMatchObject({ code: 78 })
  expect(await metricsIn(cwd)).toMatchObject({ owm_last_success_timestamp_seconds: success, owm_run_exit_code: 78 })
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...settings(), sinck: {} }))
  expect(await owm(['produce'], at(cwd, '2026-11-23T14:00:20Z'))).toMatchObject({ code: 78 })
  expect(await metricsIn(cwd)).toMatchObject({ owm_last_success_timestamp_seconds: success, owm_run_exit_code: 78 })

  // Five days later: what is too old is missed, and counted.
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings()))
  await writeFile(join(cwd, 'list.csv'), list)
  expect(await owm(['produce'], at(cwd, '2026-11-28T12:00:10Z'))).toMatchObject({ code: 0 })
  const late = await metricsIn(cwd)
  expect(late['owm_slots_missed_total{maxAge}']).toBeGreaterThan(90)
  expect(late['owm_last_success_timestamp_seconds']).toBeGreaterThan(seconds('2026-11-28T12:00:00Z'))

  const { stderr } = await run('sh', ['-c', 'promtool check metrics < owm.prom'], { cwd })
  expect(stderr).toBe('')
})

test('a dry run, an owm that only looks, and one without `metrics` write nothing', async () => {
  const cwd = await folder()
  expect(await owm(['produce', '--dry-run'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({ code: 0 })
  expect(await owm(['flush', '--dry-run'], { cwd })).toMatchObject({ code: 0 })
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...settings(), metrics: undefined }))
  expect(await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({ code: 0 })
  expect((await readdir(cwd)).sort()).toEqual([
    '.owmrc.json',
    'list.csv',
    'state',
    'tasks.jsonl',
    'tasks.jsonl.lock',
    'tasks.jsonl.receipts',
  ])
  expect((await readdir(join(cwd, 'state'))).filter((name) => name.includes('signals'))).toEqual([])
})

test("a start on another user's outbox leaves that user's metrics and last success as they are", async () => {
  expect(process.getuid?.(), 'only root can give a file away').toBe(0)
  const cwd = await folder()
  const noon = at(cwd, '2026-11-23T12:00:10Z')
  expect(await owm(['produce'], noon)).toMatchObject({ code: 0 })
  const record = join(cwd, 'state', 'outbox.db-signals')
  const texts = () => Promise.all([record, join(cwd, 'owm.prom')].map((file) => readFile(file, 'utf8')))
  const before = await texts()
  for (const file of [record, join(cwd, 'state', 'outbox.db')]) await chown(file, 65_534, 65_534)
  const ended = await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))
  expect(ended).toMatchObject({ code: 74, stderr: expect.stringMatching(/warning: the outbox is another user's/) })
  expect(await texts()).toEqual(before)
  expect((await stat(record)).uid).toBe(65_534)
})

test("another user's file in the place of the record, in a folder like /tmp, doesn't stop the metrics", async () => {
  const cwd = await folder()
  const [state, record] = [join(cwd, 'state'), join(cwd, 'state', 'outbox.db-signals')]
  await mkdir(state)
  await mkdir(record) // root could replace a file
  await chown(record, 65_534, 65_534)
  await chmod(state, 0o1777)
  const { code, stderr } = await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining(`noted in ${record}: the next one won't know of it. Find out which user put it`),
  })
  expect(await readFile(join(cwd, 'owm.prom'), 'utf8')).toContain('owm_run_exit_code')
})

test('each pipeline and shard has its file; one that cannot be written is a warning; a link is replaced', async () => {
  const { metrics, ...rest } = settings()
  const shared = { ...rest, metrics: { ...metrics, labels: { site: 'a "b"\\c' } } }
  const cwd = await folderWith({ ...shared, pipelines: { hourly: {}, daily: { metrics: { textfile: './d.prom' } } } })
  await writeFile(join(cwd, 'list.csv'), list)
  await writeFile(join(cwd, 'precious'), 'mine')
  await symlink(join(cwd, 'precious'), join(cwd, 'owm-hourly-1-of-3.prom'))
  const noon = at(cwd, '2026-11-23T12:00:10Z')
  expect(await owm(['produce', '--pipeline', 'hourly', '--shard', '1/3'], noon)).toMatchObject({ code: 0 })
  expect(await owm(['produce', '--pipeline', 'daily'], noon)).toMatchObject({ code: 0 })
  expect((await readdir(cwd)).filter((name) => name.endsWith('.prom'))).toEqual(['d.prom', 'owm-hourly-1-of-3.prom'])
  expect(await readFile(join(cwd, 'precious'), 'utf8')).toBe('mine')
  const text = await readFile(join(cwd, 'owm-hourly-1-of-3.prom'), 'utf8')
  expect(text).toContain('owm_run_exit_code{pipeline="hourly",shard="1-of-3",site="a \\"b\\"\\\\c"} 0')

  await rm(join(cwd, 'd.prom'))
  await mkdir(join(cwd, 'd.prom'))
  const refused = await owm(['produce', '--pipeline', 'daily'], at(cwd, '2026-11-23T13:00:10Z'))
  expect(refused).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/warning: metrics\.textfile can't be written/),
  })

  const both = { hourly: { metrics: { textfile: './x.prom' } }, daily: { metrics: { textfile: './x.prom' } } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...rest, pipelines: both }))
  const same = await owm(['produce', '--pipeline', 'daily'], noon)
  expect(same).toMatchObject({ code: 78, stderr: expect.stringMatching(/have the same metrics\.textfile/) })
  const wrong = { ...settings(), metrics: { textfile: './owm.txt', lables: {} } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(wrong))
  const { code, stderr } = await owm(['produce'], noon)
  expect({ code, stderr }).toMatchObject({ code: 78, stderr: expect.stringMatching(/\.prom is expected/) })
  expect(stderr).toMatch(/metrics\.lables .*not a known key\. Did you mean `labels`/)
})

test('the Pushgateway gets them and keeps the last success; where it is not reached that is a warning', async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const gateway = spawn('prometheus-pushgateway', [`--web.listen-address=${address}`], { stdio: 'ignore' })
  const gone = once(gateway, 'exit')
  onTestFinished(async () => {
    gateway.kill()
    await gone
  })
  const text = () =>
    fetch(`http://${address}/metrics`).then(
      (response) => response.text(),
      () => undefined,
    )
  await until(text)
  const url = `http://user:hidden-word@${address}`
  const metrics = { pushgateway: { url, job: 'nightly' }, labels: { site: 'x/y', empty: '' } }
  const sink = { use: 'redis-stream', url: redis.url, maxLength: 50 }
  const cwd = await folder({ metrics, sink })
  expect(await owm(['produce', '--shard', '0/1'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({
    code: 0,
    stderr: expect.not.stringContaining('pushgateway'),
  })
  const first = (await text()) ?? ''
  const series = /^owm_last_success_timestamp_seconds\{.*\} (.*)$/m
  expect(series.exec(first)?.[0]).toMatch(/job="nightly".*pipeline="default",shard="0-of-1",site="x\/y"/)
  expect(first).toMatch(/^owm_stream_entries\{.*\} 2$/m)
  expect(first).toMatch(/^owm_stream_bound_entries\{.*\} 50$/m)
  await rm(join(cwd, 'list.csv'))
  expect(await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))).not.toMatchObject({ code: 0 })
  const second = (await text()) ?? ''
  expect(series.exec(second)?.[1]).toBe(series.exec(first)?.[1])
  expect(second).toMatch(/^owm_run_exit_code\{.*\} (?!0)\d+$/m)

  gateway.kill()
  await gone
  await writeFile(join(cwd, 'list.csv'), list)
  const ended = await owm(['produce', '--log-level', 'debug'], at(cwd, '2026-11-23T13:00:20Z'))
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/warning: metrics\.pushgateway failed/) })
  expect(`${ended.stdout}${ended.stderr}`).not.toContain('hidden-word')
})

test("the Pushgateway's address is shown nowhere, nor is what it answers", async () => {
  const server = await heard()
  server.status = 404
  const url = `${server.url}/tenant/hush-token-77/`
  const cwd = await folder({ metrics: { pushgateway: { url: '${file:./address}' } } })
  await writeFile(join(cwd, 'address'), url)
  const { requests } = server
  for (const format of ['words', 'json']) {
    const { code, stdout, stderr } = await owm(['produce', '--log-level', 'debug', '--log-format', format], { cwd })
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/pushgateway failed/) })
    expect(stderr).toContain('it answered 404')
    expect(requests.at(-1)?.path).toBe('/tenant/hush-token-77/metrics/job/owm/pipeline/default/shard/0-of-1')
    expect(`${stdout}${stderr}`).not.toContain('hush')
  }
  // Written into the configuration, too.
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ metrics: { pushgateway: { url } } })))
  for (const args of [['produce'], ['config', 'show'], ['config', 'show', '--json']]) {
    const { stdout, stderr } = await owm(args, { cwd })
    expect(`${stdout}${stderr}`).not.toContain('hush')
  }
})

test('flush, backfill and `schedule run` write them, too', async () => {
  const cwd = await folder()
  expect(await owm(['produce', '--no-flush'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({ code: 0 })
  expect(await metricsIn(cwd)).toMatchObject({ owm_outbox_pending_tasks: 2, owm_open_runs: 1 })
  await chmod(join(cwd, 'owm.prom'), 0o400)
  expect(await owm(['flush'], at(cwd, '2026-11-23T12:05:10Z'))).toMatchObject({ code: 0 })
  const flushed = await metricsIn(cwd)
  expect(flushed).toMatchObject({ owm_outbox_pending_tasks: 0, 'owm_run_locations{stored}': 2 })
  expect(flushed).not.toHaveProperty('owm_outbox_oldest_pending_timestamp_seconds')
  const range = ['backfill', '--from', '2026-11-23T10:00:00Z', '--to', '2026-11-23T11:00:00Z']
  expect(await owm(range, at(cwd, '2026-11-23T12:06:10Z'))).toMatchObject({ code: 0 })
  expect(await metricsIn(cwd)).toMatchObject({ 'owm_run_tasks{delivered}': 4 })
})
