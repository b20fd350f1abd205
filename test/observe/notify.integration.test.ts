/** Whom a start tells how it ended: a check, and hooks. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import type { BackfillResult } from '../../src/commands/backfill.js'
import type { ProduceResult } from '../../src/commands/produce.js'
import type { Told } from '../../src/observe/notify.js'
import { folderWith, owm, owmJson, startOwm, until } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { at } from '../support/scheduled.js'
import { type Heard, heard } from './heard.js'

const check = '/ping/0f3b6c4a-1c2d-4e5f-8a9b-0123456789ab'
const rid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const settings = (notify: object, more: object = {}) => ({
  schedule: { cron: '0 * * * *', maxAge: '3h' },
  source: { use: 'static-list', file: './list.csv' },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './outbox.db' },
  notify,
  ...more,
})

const list = 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n2,Bonn,50.7,7.1\n'
const configure = (cwd: string, config: unknown) => writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))

async function folder(notify: object): Promise<string> {
  const cwd = await folderWith(settings(notify))
  await writeFile(join(cwd, 'list.csv'), list)
  return cwd
}

/** The paths of what was heard since the last look, behind the check's. */
function pings({ requests }: Heard): string[] {
  const all = requests.splice(0)
  for (const { search } of all) expect(search.get('rid')).toMatch(rid)
  expect(new Set(all.map(({ search }) => search.get('rid'))).size).toBeLessThan(2)
  return all.map(({ method, path }) => `${method} ${path.replace(check, '')}`)
}

test('a check hears of each start: begun, succeeded, failed with its code; no output has its address', async () => {
  const server = await heard()
  const ping = `${server.url}${check}?keep=1`
  const cwd = await folder({ ping })
  const noon = { ...at(cwd, '2026-11-23T12:00:10Z') }
  const debug = ['--log-level', 'trace', '--log-format', 'json']
  const noisy = { ...noon, env: { ...noon.env, NODE_DEBUG: 'http', DEBUG: '*' } }
  const first = await owm(['produce', ...debug], noisy)
  expect(first).toMatchObject({ code: 0 })
  expect(server.requests.at(-1)?.body).toMatch(/^slot 2026-11-23T12:00:00Z: 2 locations read/)
  expect(server.requests.at(-1)?.search.get('keep')).toBe('1')
  expect(pings(server)).toEqual(['POST /start', 'POST '])
  expect(first.stderr).toMatch(/HTTP/)
  const shown = await owm(['config', 'show', '--json'], { cwd })
  for (const text of [first.stdout, first.stderr, shown.stdout, shown.stderr]) expect(text).not.toContain(check)

  // A plugin that isn't there, then a key that isn't known: there is nothing but the section to go by.
  const sections = [{ log: { format: 'text' } }, { metrics: { textfile: './owm.txt' } }, { outbox: { path: 7 } }]
  for (const wrong of [{ source: { use: './no-such.mjs' } }, { sorce: {} }, ...sections]) {
    await configure(cwd, settings({ ping }, wrong))
    const refused = await owm(['produce'], noon)
    expect(refused).toMatchObject({ code: 78 })
    expect(server.requests.at(-1)?.body).toMatch(/no-such|sorce|log\.format|metrics\.textfile|outbox\.path/)
    expect(pings(server).at(-1)).toBe('POST /78')
  }
  // Flags, too; a dry run and an owm that only looks tell nobody.
  await configure(cwd, settings({ ping }))
  expect(await owm(['produce', '--slot', 'noon'], noon)).toMatchObject({ code: 2 })
  expect(pings(server).at(-1)).toBe('POST /2')
  await owm(['produce', '--dry-run'], noon)
  await owm(['outbox', 'inspect'], { cwd })
  expect(server.requests).toEqual([])

  // Whoever doesn't answer, or not well, changes nothing.
  server.status = 500
  const deaf = await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))
  expect(deaf).toMatchObject({ code: 0, stderr: expect.stringMatching(/warning: notify\.ping failed.*answered 500/) })
  server.status = 0
  await configure(cwd, settings({ ping, timeoutMs: 300 }))
  const hung = await owm(['produce', '--json'], at(cwd, '2026-11-23T14:00:10Z'))
  expect(hung).toMatchObject({ code: 0, stderr: expect.stringMatching(/it took too long/) })
  expect(JSON.parse(hung.stdout)).toMatchObject({ slot: '2026-11-23T14:00:00Z' })
  expect(hung.stderr).not.toContain(check)
})

test.each([
  ['us%er:50%', 'us%er:50%'],
  ['me:p%40ss', 'me:p@ss'],
])('the user and password of an address, %s, are as they are meant: %s', async (login, meant) => {
  const server = await heard()
  const url = server.url.replace('//', `//${login}@`)
  const cwd = await folder({ ping: `${url}${check}`, on: { failure: [{ url: `${url}/hook` }] } })
  await configure(cwd, {
    ...settings(
      { ping: `${url}${check}`, on: { failure: [{ url: `${url}/hook` }] } },
      { source: { use: './none.mjs' } },
    ),
    metrics: { pushgateway: { url } },
  })
  expect(await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({
    code: 78,
    stderr: expect.not.stringMatching(/failed;/),
  })
  const header = `Basic ${Buffer.from(meant).toString('base64')}`
  expect(server.requests.map(({ authorization }) => authorization)).toEqual([header, header, header, header])
})

test('a signal is told as 143, and one that comes while others are told changes nothing', async () => {
  const server = await heard()
  const silent = await heard()
  silent.status = 0
  const cwd = await folder({})
  const source = { use: 'http', url: `${silent.url}/list` }
  await configure(cwd, settings({ ping: `${server.url}${check}` }, { source }))
  const running = startOwm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))
  await until(() => silent.requests.length > 0)
  running.child.kill('SIGTERM')
  expect(await running.ended).toMatchObject({ code: 143 })
  expect(pings(server)).toEqual(['POST /start', 'POST /143'])

  server.status = 0
  await configure(cwd, settings({ ping: `${server.url}${check}`, timeoutMs: 60_000 }))
  const done = startOwm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))
  await until(async () => (await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')) !== '')
  done.child.kill('SIGTERM')
  const { code, stderr } = await done.ended
  // Where it came before the end of the run it is the run's.
  expect([0, 143]).toContain(code)
  expect(stderr).toMatch(/notify\.ping failed/)
})

test.each([
  ['of the time that it came for', {}, [], '2026-11-23T12:00:00Z'],
  ['of the one that is named', {}, ['--slot', '2026-11-23T11:00:00Z'], '2026-11-23T11:00:00Z'],
  ['of none, where that is not known', { sorce: {} }, [], null],
])('a start that ends before it has a run tells the slot %s', async (_, wrong, args, slot) => {
  const command = ['sh', '-c', 'cat > told.json; printf %s "$OWM_EVENT_SLOT" > slot.txt']
  const sink = { use: 'jsonl', path: './none/tasks.jsonl' }
  const cwd = await folderWith(settings({ on: { failure: [{ command }] } }, { sink, ...wrong }))
  const { code, json } = await owmJson<ProduceResult>(['produce', ...args], at(cwd, '2026-11-23T12:00:10Z'))
  const told: Told = JSON.parse(await readFile(join(cwd, 'told.json'), 'utf8'))
  const variable = await readFile(join(cwd, 'slot.txt'), 'utf8')
  expect([code, json.runId, json.slot, told.slot, variable]).toEqual([78, null, slot, slot, slot ?? ''])
})

test('hooks get their events: a command by standard input and environment, an address by POST', async () => {
  const server = await heard()
  const save = (event: string) => [
    'sh',
    '-c',
    `cat > ${event}.json; echo "$OWM_EVENT $OWM_EVENT_EXIT_CODE" > ${event}.txt`,
  ]
  const events = ['failure', 'recovered', 'missed', 'shrunk', 'dead', 'lost']
  const on = Object.fromEntries(
    events.map((event) => [event, [{ command: save(event) }, { url: `${server.url}/${event}` }]]),
  )
  const cwd = await folder({ on })
  const told = async (event: string): Promise<Told> => JSON.parse(await readFile(join(cwd, `${event}.json`), 'utf8'))
  const events_ = () =>
    server.requests
      .splice(0)
      .map(({ path }) => path)
      .sort()
  expect(await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({ code: 0 })
  expect(events_()).toEqual([])

  await configure(cwd, settings({ on }, { source: { use: './no-such.mjs' } }))
  expect(await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))).toMatchObject({ code: 78 })
  expect(events_()).toEqual(['/failure'])
  expect(await told('failure')).toMatchObject({
    event: 'failure',
    command: 'owm produce',
    pipeline: 'default',
    exitCode: 78,
    fewer: 0,
    error: { code: 'CONFIGURATION', message: expect.stringContaining('no-such') },
  })
  expect(await readFile(join(cwd, 'failure.txt'), 'utf8')).toBe('failure 78\n')

  // Hours later, with a shorter list: times are missed, the list has shrunk, and it works again.
  await configure(cwd, settings({ on }))
  await writeFile(join(cwd, 'list.csv'), list.replace(/^2.*\n/m, ''))
  expect(await owm(['produce'], at(cwd, '2026-11-23T20:00:10Z'))).toMatchObject({ code: 0 })
  expect(events_()).toEqual(['/missed', '/recovered', '/shrunk'])
  const shrunk = await told('shrunk')
  expect(shrunk).toMatchObject({ exitCode: 0, slot: '2026-11-23T20:00:00Z', fewer: 1, vitals: { pending: 0, dead: 0 } })
  expect((await told('missed')).missed).toBeGreaterThan(3)
  // A start that reads nothing says nothing of the list.
  const idle = await owmJson<ProduceResult>(['produce'], at(cwd, '2026-11-23T20:10:00Z'))
  expect(idle.code, idle.stderr).toBe(0)
  expect(idle.json.source).not.toHaveProperty('fewer')
  expect(events_()).toEqual([])
  expect(await owm(['produce'], at(cwd, '2026-11-23T21:00:10Z'))).toMatchObject({ code: 0 })
  expect(events_()).toEqual([])

  // One that fails, hangs, isn't there, or starts an owm that fails: a warning each, and nothing twice.
  const bin = join(import.meta.dirname, '..', '..', 'bin', 'run.js')
  const again = [process.execPath, bin, 'produce', '--slot', 'never']
  const bad = [{ command: ['sh', '-c', 'echo why >&2; exit 3'] }, { command: ['sh', '-c', 'sleep 60 & wait'] }]
  const failure = [
    ...bad,
    { command: ['./no-such-program'] },
    { command: again },
    { url: 'http://127.0.0.1:9/token-12345' },
  ]
  await configure(cwd, settings({ timeoutMs: 4_000, on: { failure } }))
  await rm(join(cwd, 'list.csv'))
  const { code, stderr } = await owm(['produce'], at(cwd, '2026-11-23T22:00:10Z'))
  expect(code).toBe(78)
  expect(stderr).toMatch(/failure\[0\] failed.*ended with 3: why/)
  expect(stderr).toMatch(/failure\[1\] failed.*took too long/)
  expect(stderr).toMatch(/failure\[2\] failed.*ENOENT/)
  expect(stderr).toMatch(/failure\[3\] failed.*ended with 2/)
  expect(stderr).toMatch(/failure\[4\] failed/)
  expect(stderr).not.toContain('token-12345')
})

test('a backfill tells of the times that it finds to be missed, once', async () => {
  const server = await heard()
  const cwd = await folder({ on: { missed: [{ url: `${server.url}/missed` }] } })
  const heardOf = (): Told[] => server.requests.splice(0).map(({ body }) => JSON.parse(body))
  expect(await owm(['produce'], at(cwd, '2026-11-23T10:00:10Z'))).toMatchObject({ code: 0 })
  const range = ['--from', '2026-11-23T19:00:00Z', '--to', '2026-11-23T20:00:00Z']
  const ran = await owmJson<BackfillResult>(['backfill', ...range], at(cwd, '2026-11-23T20:05:00Z'))
  // 11:00 to 17:00 are older than three hours; 19:00 covers 18:00.
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { missed: 7 } })
  expect(heardOf()).toMatchObject([{ event: 'missed', command: 'owm backfill', missed: 7 }])
  expect(await owm(['produce'], at(cwd, '2026-11-23T20:06:00Z'))).toMatchObject({ code: 0 })
  expect(heardOf()).toEqual([])
})

test('a sink that refuses a task is told as dead, one that loses what is no longer kept as lost', async () => {
  const server = await heard()
  const on = Object.fromEntries(
    ['failure', 'dead', 'lost'].map((event) => [event, [{ url: `${server.url}/${event}` }]]),
  )
  const heardOf = () => server.requests.splice(0).map(({ path, body }) => ({ path, told: JSON.parse(body) }))
  const refusing = `export default {
    kind: 'sink', name: 'refusing', description: 'refuses', options: { safeParse: (data) => ({ success: true, data }) },
    open: () => ({ guarantee: 'at-least-once', deliver: async ({ tasks }) => tasks.map(() => ({ refused: 'no' })) }),
  }`
  const cwd = await folder({})
  await writeFile(join(cwd, 'refusing.mjs'), refusing)
  await configure(cwd, settings({ on }, { sink: { use: './refusing.mjs' } }))
  expect(await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))).toMatchObject({ code: 75 })
  const dead = heardOf()
  expect(dead.map(({ path }) => path).sort()).toEqual(['/dead', '/failure'])
  expect(dead[0]?.told).toMatchObject({ exitCode: 75, vitals: { dead: 2, died: 2 } })

  const redis = await startRedisProcess()
  onTestFinished(() => redis.stop())
  const outbox = { path: './other.db', keepTasks: 0 }
  await configure(cwd, settings({ on }, { sink: { use: 'redis-stream', url: redis.url }, outbox }))
  for (const hour of ['10', '11', '12'])
    expect(await owm(['produce'], at(cwd, `2026-11-23T${hour}:00:10Z`))).toMatchObject({ code: 0 })
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  await admin.flushall()
  expect(await owm(['produce'], at(cwd, '2026-11-23T13:00:10Z'))).toMatchObject({ code: 75 })
  const lost = heardOf()
  expect(lost.map(({ path }) => path).sort()).toEqual(['/failure', '/lost'])
  expect(lost.find(({ path }) => path === '/lost')?.told.lost).toBeGreaterThan(0)
})

test('how a start ended that can not be noted is a warning, and changes nothing else', async () => {
  const server = await heard()
  const cwd = await folder({ ping: `${server.url}${check}` })
  await mkdir(join(cwd, 'outbox.db-signals'))
  const { code, stderr } = await owm(['produce'], at(cwd, '2026-11-23T12:00:10Z'))
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/warning: how this start ended can't/),
  })
  expect(pings(server)).toEqual(['POST /start', 'POST '])
})

test('what is wrong in the section is told with its key', async () => {
  const cwd = await folder({
    ping: 'hc-ping.com/secret-word',
    on: { failures: [], dead: [{}], lost: [{ comand: ['x'] }] },
  })
  const { code, stderr } = await owm(['produce'], { cwd })
  expect(code).toBe(78)
  expect(stderr).toMatch(/notify\.ping .*http:\/\/ or https:\/\//)
  expect(stderr).toMatch(/notify\.on\.failures .*Did you mean `failure`/)
  expect(stderr).toMatch(/notify\.on\.dead\.0 .*either url or command/)
  expect(stderr).toMatch(/notify\.on\.lost\.0\.comand .*Did you mean `command`/)
  expect(stderr).not.toContain('secret-word')
})
