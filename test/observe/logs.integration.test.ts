/** The log: each line has its event, its run and slot; and the trace, in the log and in tasks. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logEvents } from '../../src/observe/events.js'
import { files, textOf } from '../house/rooms.js'
import { folderWith, owm, root } from '../support/cli.js'
import { at } from '../support/scheduled.js'

const trace = '0af7651916cd43dd8448eb211c80319c'
const span = 'b7ad6b7169203331'
const other = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`

const list = 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n2,Nowhere,95,0\n'

const settings = (more: object = {}) => ({
  source: { use: 'static-list', file: './list.csv' },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './outbox.db' },
  log: { format: 'json' },
  ...more,
})

async function folder(more: object = {}): Promise<string> {
  const cwd = await folderWith(settings(more))
  await writeFile(join(cwd, 'list.csv'), list)
  return cwd
}

const started = (cwd: string, TRACEPARENT = '') => {
  const { node, env } = at(cwd, '2026-11-23T12:00:10Z')
  return { cwd, node: node ?? [], env: { ...env, TRACEPARENT } }
}

const tasksIn = async (cwd: string): Promise<Record<string, unknown>[]> =>
  (await readFile(join(cwd, 'tasks.jsonl'), 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

const linesIn = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

test('every line that owm logs names an event, and the page lists each of them', async () => {
  const sources = files.filter((file) => file.endsWith('.ts') && file !== 'observe/events.ts').map(textOf)
  const calls = sources.flatMap((text) => [
    ...text.matchAll(/[lL]og(?:ger\(\)\))?\.(?:info|warn|error|debug)\((.{0,60})/gs),
  ])
  expect(calls.length).toBeGreaterThan(30)
  expect(calls.map(([call]) => call).filter((call) => !/\(\s*(\{\s*event: '|fields\b)/.test(call))).toEqual([])
  const named = sources.flatMap((text) => [...text.matchAll(/\bevent: '([a-z-]+)'/g)].map(([, event]) => event))
  expect([...new Set([...named, 'plugin'])].sort()).toEqual(Object.keys(logEvents).sort())
  const page = await readFile(join(root, 'docs', 'monitoring.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm)].map(([, event, what]) => [event, what])
  expect(rows.filter(([event = '']) => event in logEvents)).toEqual(Object.entries(logEvents))
})

test('the error that a command ends with is a line of JSON, where the log is', async () => {
  const cwd = await folder()
  const failed = { level: 50, name: 'owm', event: 'command-failed', hint: expect.stringMatching(/./) }
  const dead = await owm(['produce', '-q', '--strict'], started(cwd))
  expect(dead.code).toBe(65)
  expect(linesIn(dead.stderr).at(-1)).toMatchObject({
    ...{ ...failed, code: 'INPUT_REJECTED', exitCode: 65, msg: expect.stringContaining('latitude') },
    ...{ runId: expect.stringMatching(/^[0-9a-f-]{36}$/), slot: expect.stringMatching(/^2026-11-23T12/) },
  })
  await writeFile(join(cwd, 'list.csv'), 'id\n')
  for (const level of ['silent', 'debug']) {
    const { stderr, stdout } = await owm(['produce', '--log-level', level], started(cwd))
    expect(linesIn(stderr).filter(({ event }) => event === 'command-failed')).toHaveLength(1)
    expect(stdout).not.toContain('owm:')
  }
  // What is wrong elsewhere doesn't hide how the log is wanted.
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ sink: { use: 'jsonl', paht: './x' } })))
  const wrong = await owm(['produce'], started(cwd))
  expect(linesIn(wrong.stderr).at(-1)).toMatchObject({ ...failed, code: 'CONFIGURATION', exitCode: 78 })
  expect((await owm(['produce', '--log-format', 'words'], started(cwd))).stderr).toMatch(
    /^owm: The configuration has 2 mistakes:\n- .*\n- .*paht/,
  )
  const json = await owm(['produce', '--json'], started(cwd))
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'CONFIGURATION' } })
  expect(json.stderr).toBe('')
})

test('run, slot and trace stand on each line of a run; in words nothing of it does', async () => {
  const cwd = await folder()
  const info = ['produce', '--log-level', 'info']
  const { code, stderr } = await owm(info, started(cwd, `00-${trace}-${span}-01`))
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const lines = linesIn(stderr)
  expect(lines.map(({ event }) => event)).toEqual(['run-started', 'locations-rejected', 'start-ended'])
  const [{ runId, slot } = {}] = lines
  expect(slot).toMatch(/^2026-11-23T12:00:1\d/)
  for (const line of lines) expect(line).toMatchObject({ runId, slot, trace_id: trace, span_id: span })
  // Without the key tasks are as they were.
  expect((await tasksIn(cwd)).every((task) => !('traceparent' in task))).toBe(true)

  const words = await owm([...info, '--log-format', 'words'], started(cwd, 'not-a-trace'))
  expect(words.stderr).not.toMatch(/event|span_id|locations-rejected/)
  expect(words.stderr).toMatch(/warning: TRACEPARENT is not valid, and is ignored: not-a-trace/)
  const untraced = await owm(info, started(cwd))
  expect(linesIn(untraced.stderr).filter((line) => 'trace_id' in line)).toEqual([])
})

test('tasks bear the trace of their start; a slot that is read again under another one stays the same', async () => {
  const cwd = await folder({ task: { traceparent: true } })
  const produce = ['produce', '--slot', '2026-11-23T12:00:00Z']
  expect(await owm(produce, started(cwd, `00-${trace}-${span}-01`))).toMatchObject({ code: 0 })
  await writeFile(join(cwd, 'list.csv'), `${list}3,Rome,41.9,12.5\n3,Rome,41.9,12.5\n`)
  const again = await owm(produce, started(cwd, other))
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 there already.*1 duplicate.*1 task delivered/),
  })
  expect(linesIn(again.stderr).map(({ event }) => event)).toEqual(['locations-rejected'])
  const tasks = await tasksIn(cwd)
  expect(tasks.map(({ city, traceparent }) => [city, traceparent])).toEqual([
    ['Oslo', `00-${trace}-${span}-01`],
    ['Rome', other],
  ])
  expect(Object.keys(tasks[0] ?? {}).at(-1)).toBe('traceparent')
})

test('without TRACEPARENT a slot is one trace for all processes; a column of that name is not lost', async () => {
  const cwd = await folder({ task: { traceparent: true }, pipelines: { hourly: {} } })
  const produce = (slot: string, ...more: string[]) =>
    owm(['produce', '--slot', slot, '--log-level', 'info', ...more], started(cwd))
  const [first, second] = [await produce('2026-11-23T12:00:00Z'), await produce('2026-11-23T13:00:00Z')]
  const preview = await produce('2026-11-23T12:00:00Z', '--dry-run', '--outbox', './other.db')
  const [noon, one] = await tasksIn(cwd)
  // The same for ever: other processes, and other versions, must find it.
  expect(noon?.['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(one?.['traceparent']).not.toBe(noon?.['traceparent'])
  expect(preview.stdout).toContain(String(noon?.['traceparent']))
  for (const [{ stderr }, task] of [
    [first, noon],
    [second, one],
  ] as const) {
    const [, traceId] = String(task?.['traceparent']).split('-')
    expect(
      linesIn(stderr)
        .filter((line) => 'runId' in line)
        .map((line) => line['trace_id']),
    ).toEqual(Array(3).fill(traceId))
  }

  await writeFile(join(cwd, 'list.csv'), 'id,city,latitude,longitude,traceparent\n1,Oslo,59.9,10.7,mine\n')
  const { stdout, stderr } = await produce('2026-11-23T14:00:00Z')
  expect(stdout).toMatch(/1 rejected/)
  expect(stderr).toMatch(/the key \\"traceparent\\" can't be a task's: its name is empty or taken/)
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ pipelines: { hourly: {} } })))
  await produce('2026-11-23T15:00:00Z')
  expect((await tasksIn(cwd)).at(-1)).toMatchObject({ traceparent: 'mine' })
})
