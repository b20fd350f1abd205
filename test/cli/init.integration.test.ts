/** `owm init` with answers: by flags, and by somebody at a terminal. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { cronIn, listIn, sinkIn } from '../../src/cli/actions/init/answers.js'
import { boundFor, settingsIn, starterWith } from '../../src/cli/actions/init/starter.js'
import type { InitResult } from '../../src/commands/init.js'
import { cronOf } from '../../src/schedule/every.js'
import { owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { atTerminal } from '../support/terminal.js'

const list = 'City;Lat;Lng\r\nTromsø;69.65;18.96\r\nBergen;60.39;5.32\r\nNowhere;95;3\r\n'

/** A folder of its own, and a home; a list is in both. */
async function scene() {
  const home = await temporaryFolder()
  const cwd = join(home, 'owm')
  await mkdir(cwd)
  await writeFile(join(cwd, 'cities.csv'), list)
  await writeFile(join(home, 'a list #1 ${x}.csv'), list)
  return { home, cwd, file: join(cwd, '.owmrc.yaml') }
}

describe('by flags', () => {
  it('reads the list, and writes what a start needs, but no secret', async () => {
    const { home, cwd, file } = await scene()
    const flags = ['--list', 'cities.csv', '--every', 'daily at 6:30', '--ping', 'https://hc.example/12345678-secret']
    const to = 'redis://me:hunter%2F2-and-a-half@127.0.0.1:1/3'
    const ran = await owm(['init', ...flags, `--to=${to}`], { cwd, env: { HOME: home } })
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringMatching(/3 locations, 1 rejected: latitude/) })
    expect(ran.stderr).toMatch(/127\.0\.0\.1:1 can't be reached.* written all the same/)
    expect(ran.stdout).toMatch(/Set it for each start: export REDIS_PASSWORD=[\s\S]*crontab -/)
    const text = await readFile(file, 'utf8')
    expect(parse(text)).toMatchObject({
      source: { use: 'static-list', file: './cities.csv' },
      sink: {
        url: 'redis://127.0.0.1:1/3',
        username: 'me',
        password: '${REDIS_PASSWORD}',
        stream: 'owm-ingestion-stream',
      },
      outbox: { path: expect.stringContaining(home) },
      schedule: { cron: '30 6 * * *', timezone: 'UTC' },
      notify: { ping: 'https://hc.example/12345678-secret' },
    })
    expect(ran.stdout + ran.stderr + text).not.toContain('hunter')
    expect(ran.stdout + ran.stderr).not.toContain('12345678')
    expect((await stat(file)).mode & 0o077).toBe(0)
  })

  it.each([
    ['owm.config.ts', 'export default {}'],
    ['.owmrc', '{}'],
    ['.owmrc.json', '{}'],
    ['.owmrc.yml', '{}'],
    ['.config/owmrc.yaml', '{}'],
    ['package.json', '{"owm": {}}'],
  ])('writes nothing beside a configuration of another form, of which one would not count: %s', async (name, text) => {
    const { home, cwd } = await scene()
    await mkdir(join(cwd, '.config'))
    await writeFile(join(cwd, name), text)
    const before = await readdir(cwd)
    const ran = await owm(['init', '--list', 'cities.csv', '--to', 'jsonl'], { cwd, env: { HOME: home } })
    expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining(`${join(cwd, name)} is a configuration`) })
    expect(await readdir(cwd)).toEqual(before)
  })

  it('takes a manifest that configures something else for no configuration', async () => {
    const { home, cwd } = await scene()
    await writeFile(join(cwd, 'package.json'), '{"dependencies": {"owm": "1.0.0"}}')
    const ran = await owm(['init', '--list', 'cities.csv', '--to', 'jsonl'], { cwd, env: { HOME: home } })
    expect(ran.code).toBe(0)
  })

  it('makes a variable of the password of a check', async () => {
    const { home, cwd, file } = await scene()
    const ping = ['--ping', 'http://me:hunter%2F2-and-a-half@hc.example/12345678']
    const ran = await owm(['init', '--list', 'cities.csv', '--to', 'jsonl', ...ping], { cwd, env: { HOME: home } })
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('export PING_PASSWORD=') })
    expect(ran.stdout).not.toMatch(/hunter|12345678/)
    const text = await readFile(file, 'utf8')
    expect(parse(text)).toMatchObject({ notify: { ping: 'http://me:${PING_PASSWORD}@hc.example/12345678' } })
    const env = { HOME: home, PING_PASSWORD: 'hunter%2F2-and-a-half' }
    expect(await owm(['config', 'check'], { cwd, env })).toMatchObject({ code: 0 })
  })

  it.each(['/', '/proc', '/dev/null'])('puts the outbox beside the file for a user whose home is %s', async (HOME) => {
    const { cwd, file } = await scene()
    const ran = await owm(['init', '--to', 'jsonl'], { cwd, env: { HOME } })
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('no home that can be written') })
    expect(parse(await readFile(file, 'utf8')).outbox.path).toBe(join(cwd, 'outbox.db'))
    expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd, env: { HOME } })).code).toBe(0)
  })

  it('bounds stream and history by the list that it has counted', async () => {
    const { home, cwd, file } = await scene()
    const env = { HOME: home }
    const rows = Array.from({ length: 30_001 }, (_, id) => `${id},Place ${id},${(id % 170) - 85},${id % 180}`)
    await writeFile(join(cwd, 'long.csv'), ['id,city,latitude,longitude', ...rows].join('\n'))
    const ran = await owm(['init', '--list', 'long.csv'], { cwd, env })
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('30,001 locations') })
    const text = await readFile(file, 'utf8')
    expect(parse(text)).toMatchObject({ sink: { maxLength: 130_000 }, outbox: { keepTasks: 130_000 } })
    expect(text).toContain('maxLength: 130000           # entries, trimmed approximately: 4 slots of the list')
    expect(text).toContain('which brings 30,001 tasks')
    expect((await owm(['config', 'check'], { cwd, env })).code).toBe(0)
    expect([boundFor(25_000), boundFor(120_000), boundFor(2_500_001)]).toEqual([undefined, 480_000, 11_000_000])
  })

  it('keeps its task ids apart from those of another outbox in the stream', async () => {
    const redis = await startRedisProcess()
    onTestFinished(() => redis.stop())
    const flags = ['--list', 'cities.csv', '--to', redis.url]
    const [one, two] = [await scene(), await scene()]
    const begin = async ({ home, cwd, file }: typeof one) => {
      const env = { HOME: home }
      const ran = await owm(['init', ...flags], { cwd, env })
      expect((await owm(['produce'], { cwd, env })).code).toBe(0)
      return { ran, namespace: parse(await readFile(file, 'utf8')).taskNamespace }
    }
    expect((await begin(one)).namespace).toBeUndefined()
    await rm(one.file) // its own outbox is no other one
    expect((await begin(one)).namespace).toBeUndefined()
    const second = await begin(two)
    expect(second.ran.stderr).toContain('another outbox delivers there, too')
    expect(second.namespace).toMatch(/^owm-[0-9a-f]{8}$/)
    const checked = await owm(['config', 'check'], { cwd: two.cwd, env: { HOME: two.home } })
    expect(checked, checked.stderr).toMatchObject({ code: 0 })
  })

  it('writes how to catch up, where there is a schedule', async () => {
    const { home, cwd, file } = await scene()
    const env = { HOME: home }
    const none = await owm(['init', '--every', 'none', '--catch-up', 'all'], { cwd, env })
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('--catch-up goes with a schedule') })
    expect(await owm(['init', '--every', '6h', '--catch-up', 'all'], { cwd, env })).toMatchObject({ code: 0 })
    const { schedule } = parse(await readFile(file, 'utf8'))
    expect(schedule).toEqual({ cron: '0 */6 * * *', timezone: 'UTC', catchUp: 'all' })
    expect(await owm(['config', 'check'], { cwd, env })).toMatchObject({ code: 0 })
  })

  it.each(['--list', '--to', '--every', '--ping'])('takes no empty %s for its default', async (flag) => {
    const { home, cwd } = await scene()
    const ran = await owm(['init', flag, ''], { cwd, env: { HOME: home } })
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`${flag} is empty.`) })
    expect(await readdir(cwd)).not.toContain('.owmrc.yaml')
  })

  it('says of a wrong answer why, and writes nothing', async () => {
    const { home, cwd } = await scene()
    const env = { HOME: home }
    await writeFile(join(cwd, 'odd.csv'), 'a,b\n1,2\n')
    const odd = await owm(['init', '--list', 'odd.csv'], { cwd, env })
    expect(odd).toMatchObject({
      code: 78,
      stdout: '',
      stderr: expect.stringMatching(/no column for the latitude[\s\S]*a, b/),
    })
    const both = await owmJson<InitResult>(['init', '--list', 'cities.csv', '--to', 'localhost:6379'], { cwd, env })
    expect(both).toMatchObject({
      code: 2,
      json: { error: { hint: expect.stringContaining('redis://localhost:6379') } },
    })
    const unheard = await owm(['init', '--list', 'cities.csv', '--source', 'sql'], { cwd, env })
    expect(unheard).toMatchObject({ code: 2, stderr: expect.stringContaining('--source has no effect on the file') })
    for (const args of [
      ['--config', 'other.yaml'],
      ['--pipeline', 'hourly'],
    ])
      expect(await owm(['init', ...args], { cwd })).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${args[0]} has no effect: .owmrc.yaml is written into`),
      })
    expect(await readdir(cwd)).toEqual(['cities.csv', 'odd.csv'])
  })
})

describe('at a terminal', () => {
  it('asks again until an answer is right, tries each, and shows what it wrote', async () => {
    const { home, cwd, file } = await scene()
    const answers = ['gone.csv\r', '~/a list #1 ${x}.csv\r', 'localhost\r', 'jsonl\r', 'often\r', '\r']
    const { code, shown } = await atTerminal(cwd, home, answers)
    expect({ code, shown }).toMatchObject({
      code: 0,
      shown: expect.stringMatching(/gone\.csv can't be read: there is no/),
    })
    for (const said of ['3 locations, 1 rejected', 'redis://localhost', '"often" says no times', 'cron: "0 * * * *"'])
      expect(shown).toContain(said)
    const { source, sink } = parse(await readFile(file, 'utf8'))
    expect({ source, sink }).toEqual({
      source: { use: 'static-list', file: join(home, 'a list #1 $${x}.csv') },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
    })
    const tasks = await owm(['produce', '--dry-run'], { cwd, env: { HOME: home } })
    expect(tasks).toMatchObject({ code: 0, stdout: expect.stringContaining('2 tasks would be delivered') })
  })

  it.each(['\u0003', '\u0004'])('is left with %j, and leaves nothing behind', async (key) => {
    const { home, cwd } = await scene()
    // The list that is there is the default; a server that doesn't answer is kept by Enter.
    const { code, shown } = await atTerminal(cwd, home, ['\r', 'redis://127.0.0.1:1\r', '\r', key])
    expect(shown).toMatch(/\[\.\/cities\.csv\][\s\S]*can't be reached[\s\S]*How often/)
    expect(shown).toMatch(/Nothing was written: `owm init` asks all of its questions again/)
    expect({ code, left: await readdir(cwd) }).toEqual({ code: 130, left: ['cities.csv'] })
  })
})

describe('what the answers mean', () => {
  const variables = (of: ReturnType<typeof listIn>): unknown => [of.written, Object.fromEntries(of.variables)]

  it('of a list', () => {
    expect(listIn('"../a b.csv"', '/x/y').written).toEqual({ use: 'static-list', file: '/x/a b.csv' })
    expect(listIn('file:///x/y/z%20z.csv', '/x/y').written).toEqual({ use: 'static-list', file: './z z.csv' })
    expect(() => listIn('mongodb://h/db', '/x')).toThrow('or a database')
    expect(variables(listIn('postgres://me:p%2Fw@h/db', '/x'))).toEqual([
      { use: 'sql', url: 'postgres://me@h/db', password: '${LIST_PASSWORD}' },
      { LIST_PASSWORD: 'p/w' },
    ])
    expect(listIn('sqlite:a.x', '/x').written).toEqual({ use: 'sql', url: './a.x' })
    expect(variables(listIn('https://me:p%40ss@h/x?q=${1}&appid=abcdefgh', '/x'))).toEqual([
      {
        use: 'http',
        url: 'https://h/x?q=$${1}&appid=${LIST_APPID}',
        auth: { user: 'me', password: '${LIST_PASSWORD}' },
      },
      { LIST_APPID: 'abcdefgh', LIST_PASSWORD: 'p@ss' },
    ])
  })

  it('of a sink', () => {
    expect(variables(sinkIn('postgres://me:p%2Fw@h/db', '/x'))).toEqual([
      { use: 'postgres', url: 'postgres://me@h/db', password: '${POSTGRES_PASSWORD}' },
      { POSTGRES_PASSWORD: 'p/w' },
    ])
    expect(sinkIn('out.jsonl', '/x').written).toEqual({ use: 'jsonl', path: './out.jsonl' })
  })

  it.each([
    ['hourly', '0 * * * *'],
    ['Daily', '0 0 * * *'],
    ['daily at 6', '0 6 * * *'],
    ['daily 18:05', '5 18 * * *'],
    ['15m', '*/15 * * * *'],
    ['1h', '0 * * * *'],
    ['6h', '0 */6 * * *'],
    ['1d', '0 0 * * *'],
    ['7h', undefined],
    ['daily at 24', undefined],
  ])('of %j', (words, cron) => {
    expect(cronOf(words)).toBe(cron)
  })

  it('of no schedule, and of none at all', async () => {
    expect(cronIn('none')).toBeNull()
    const starter = await readFile(join(root, 'templates/owmrc.yaml'), 'utf8')
    const text = starterWith(starter, { outbox: '/o', cron: null })
    expect(parse(text)).toEqual({ ...parse(starter), outbox: { path: '/o' }, schedule: undefined })
    expect(parse(settingsIn(text).join('\n'))).toEqual(parse(text))
  })
})
