import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PrintResult } from '../../src/commands/init.js'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { bin, folderWith, owm, owmJson, temporaryFolder } from '../support/cli.js'
import { cronJobsOf, manifestsIn, problemsOf } from '../support/manifests.js'
import { base, linesIn, run, textOf } from './scene.js'

/** A folder whose name has what shells, crontabs and units don't take as it stands. */
async function strangeFolder(config: unknown): Promise<string> {
  const folder = join(await temporaryFolder(), `it's 100 % "m\\i\\%n\\\\e" $HOME \\`)
  await mkdir(folder)
  await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
  return folder
}

const partsOf = async (scheduler: string, cwd: string, ...args: string[]): Promise<PrintResult['files']> => {
  const ran = await owmJson<PrintResult>(['init', '--print', scheduler, ...args], { cwd })
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { scheduler } })
  return ran.json.files
}

describe('--print crontab', () => {
  it('prints a line that serves each scheduled time once, whatever the folder is called', async () => {
    const cwd = await strangeFolder(base)
    const before = await readdir(cwd)
    const [line] = linesIn(await textOf(['crontab'], { cwd }))
    expect(await readdir(cwd)).toEqual(before)
    expect(line?.fields).toBe('0 * * * *')
    const asCron = () =>
      run('/bin/sh', ['-c', line?.command ?? ''], { env: { HOME: '/', PATH: '/usr/bin:/bin', TMPDIR: '/nowhere' } })
    await expect(asCron()).rejects.toMatchObject({ code: 78, stderr: expect.stringContaining('tasks.jsonl') })
    await mkdir(join(cwd, 'later'))
    expect((await asCron()).stdout).toBe('')
    await asCron()
    expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0 }) // whose the outbox is stays the same
    const tasks = (await readFile(join(cwd, 'later', 'tasks.jsonl'), 'utf8')).split('\n').filter(Boolean)
    const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
    const slots = new Set(json.runs.map(({ slot }) => slot))
    for (const slot of slots) expect(slot).toMatch(/T\d\d:00:00Z$/)
    // The hour may end meanwhile.
    expect(tasks.length).toBe(20 * slots.size)
    expect(new Set(tasks).size).toBe(tasks.length)
  })

  it('means the same outbox and sink in a folder that was entered by a link', async () => {
    const place = await temporaryFolder()
    const [real, link] = [join(place, 'releases'), join(place, 'current')]
    await mkdir(join(real, 'later'), { recursive: true })
    await symlink(real, link)
    await writeFile(join(real, '.owmrc.json'), JSON.stringify(base))
    const entered = { cwd: link, env: { PWD: link } }
    expect(await owm(['produce'], entered)).toMatchObject({ code: 0 })
    const [line] = linesIn(await textOf(['crontab'], entered))
    await run('/bin/sh', ['-c', line?.command ?? ''], { env: { PATH: '/usr/bin:/bin' } })
    expect(await textOf(['systemd'], entered)).toContain(`\nEnvironment=PWD=${link}\n`)
  })

  it.each([
    ['30 6 * * 1', 'Europe/Berlin', 'UTC', '30 * * * *'],
    ['0 6 * * *', 'UTC', 'Asia/Kolkata', '30 * * * *'],
    ['15 0 * * *', 'Asia/Kathmandu', 'UTC', '30 * * * *'],
    ['0 3 * * *', 'Australia/Lord_Howe', 'UTC', '0,30 * * * *'], // half an hour apart in half of the year
    ['0 3 * * *', 'UTC', 'Australia/Lord_Howe', '0,30 * * * *'],
    ['0,30 * L * *', 'Europe/Berlin', 'UTC', '0,30 * * * *'],
    ['@daily', 'UTC', 'Europe/Berlin', '0 * * * *'],
    ['* * * * *', 'UTC', 'UTC', '* * * * *'],
  ])('starts owm for "%s" in %s, on a machine in %s, at %s', async (cron, timezone, TZ, fields) => {
    const cwd = await folderWith({ ...base, schedule: { cron, timezone } })
    const crontab = await textOf(['crontab'], { cwd, env: { TZ } })
    expect(linesIn(crontab)).toMatchObject([{ fields }])
    expect(crontab).toContain(`"${cron}" in ${timezone}`)
  })

  it('has a line for each pipeline, with its own schedule', async () => {
    const { schedule, outbox, ...shared } = base
    const cwd = await folderWith({
      ...shared,
      pipelines: { hourly: { schedule, outbox }, daily: { schedule: { cron: '20 5 * * *' } } },
    })
    const lines = linesIn(await textOf(['crontab'], { cwd }))
    expect(lines.map(({ fields }) => fields)).toEqual(['0 * * * *', '20 * * * *'])
    for (const [index, name] of ['hourly', 'daily'].entries())
      expect(lines[index]?.command.endsWith(` --pipeline ${name}`)).toBe(true)
    expect(linesIn(await textOf(['crontab', '--pipeline', 'daily'], { cwd }))).toHaveLength(1)
  })

  it('means the configuration that flags and variables name', async () => {
    const cwd = await strangeFolder(base)
    const other = await temporaryFolder()
    const config = join(cwd, '.owmrc.json')
    for (const [args, env] of [
      [['--config', config], {}],
      [[], { OWM_CONFIG: config }],
    ] as const) {
      const flags = [
        '--outbox',
        'here.db',
        '--set',
        'source.count=3',
        '--sink',
        'jsonl',
        '--set',
        'sink.path=./my tasks',
      ]
      const [line] = linesIn(await textOf(['crontab', ...args, ...flags], { cwd: other, env }))
      await run('/bin/sh', ['-c', line?.command ?? ''], { env: { PATH: '/usr/bin:/bin' } })
      expect(await readdir(other)).toContain('here.db')
    }
    const tasks = (await readFile(join(cwd, 'my tasks'), 'utf8')).split('\n').filter(Boolean)
    expect(tasks.length % 3).toBe(0)
  })
})

it('prints paths that have a word of the address of a check in them', async () => {
  const cwd = join(await temporaryFolder(), 'weather')
  await mkdir(cwd)
  const config = { ...base, outbox: { path: './minutes/o.db' } }
  for (const ping of ['http://127.0.0.1:1/weather', 'http://127.0.0.1:1/minutes']) {
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...config, notify: { ping } }))
    const { code, stdout } = await owm(['init', '--print', 'systemd'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ReadWritePaths=.*\/weather\/minutes$/m)
  }
})

describe('--print systemd', () => {
  /** The system calls of a group, such as `@system-service`. */
  async function callsIn(group: string): Promise<string[]> {
    const { stdout } = await run('systemd-analyze', ['syscall-filter', group])
    const names = stdout.split('\n').flatMap((line) => /^ +(@?[a-z][\w-]*)$/.exec(line)?.[1] ?? [])
    return (await Promise.all(names.map((name) => (name.startsWith('@') ? callsIn(name) : [name])))).flat()
  }

  async function unitsOf(
    config: unknown,
    ...args: string[]
  ): Promise<{ folder: string; units: string[]; text: string }> {
    const folder = await temporaryFolder()
    const parts = await partsOf('systemd', await strangeFolder(config), ...args)
    for (const { name, text } of parts) await writeFile(join(folder, name), text)
    return { folder, units: parts.map(({ name }) => name), text: parts.map(({ text }) => text).join('\n') }
  }

  it.each<[string, object]>([
    ['one pipeline', base],
    ['two', { ...base, pipelines: { a: {}, b: { schedule: { cron: '0 0 13 * 5', timezone: 'Europe/Berlin' } } } }],
    ['variables', { ...base, outbox: { path: '${STATE_DIRECTORY}/o.db' }, sink: { use: 'jsonl', path: '${OUT}/t' } }],
    ['credentials', { ...base, sink: { use: 'redis-stream', url: '${file:$CREDENTIALS_DIRECTORY/url}' } }],
  ])('prints units that systemd takes: %s', async (_, config) => {
    const { folder, units } = await unitsOf(config)
    expect(units.length).toBe('pipelines' in config ? 4 : 2)
    // It tells of what it doesn't know on standard error, and exits with 0.
    const verified = await run('systemd-analyze', ['verify', ...units.map((name) => join(folder, name))])
    expect(verified).toEqual({ stdout: '', stderr: '' })
    for (const unit of units.filter((name) => name.endsWith('.service')))
      await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', join(folder, unit)])
  })

  it('names folders, flags and the program as systemd reads them', async () => {
    const { text } = await unitsOf(base, '--set', 'source.count=3 $X "%n"')
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(text) ?? []
    // In a unit: `%%` is a %, `$$` a $, and in double quotes a backslash keeps the next character.
    const words = [...command.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, inQuotes = '', plain]) =>
      (plain ?? inQuotes.replace(/\\(.)/g, '$1')).replaceAll('%%', '%').replaceAll('$$', '$'),
    )
    const set = ['--set', 'source.count=3 $X "%n"']
    expect(words).toEqual([process.execPath, bin, 'produce', '--wait-for', '1h', '--config', '.owmrc.json', ...set])
    const [, folder = ''] = /^WorkingDirectory=(.*)$/m.exec(text) ?? []
    expect(JSON.parse(await readFile(join(folder.replaceAll('%%', '%'), '.owmrc.json'), 'utf8'))).toEqual(base)
    expect(text).toMatch(/^ReadWritePaths=".*\/state"$/m)
    expect(text).toMatch(/^ReadWritePaths=".*\/later"$/m)
    const { text: measured } = await unitsOf({ ...base, metrics: { textfile: '/var/lib/metrics/owm.prom' } })
    expect(measured).toMatch(/^ReadWritePaths=\/var\/lib\/metrics$/m)
  })

  it('lets owm do what it does with the system', async () => {
    const { text } = await unitsOf(base)
    const [allow = '', deny = ''] = [...text.matchAll(/^SystemCallFilter=~?(.*)$/gm)].map(([, names]) => names)
    const allowed = new Set((await Promise.all([...allow.split(' '), '@default'].map(callsIn))).flat())
    for (const denied of await callsIn(deny)) allowed.delete(denied)
    expect(allowed.size).toBeGreaterThan(200)
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url: 'redis://localhost:1' },
      retry: { attempts: 1 },
    })
    const log = join(cwd, 'calls')
    await run('strace', ['-f', '-o', log, process.execPath, bin, 'produce'], { cwd }).catch(() => undefined)
    const calls = [...(await readFile(log, 'utf8')).matchAll(/^\d+ +(\w+)\(/gm)].map(([, name = '']) => name)
    expect(calls).toEqual(expect.arrayContaining(['connect', 'fsync']))
    expect([...new Set(calls)].filter((name) => !allowed.has(name))).toEqual([])
  })
})

describe('--print kubernetes', () => {
  async function documentsOf(config: unknown, ...args: string[]): Promise<{ text: string; all: unknown[] }> {
    const [part] = await partsOf('kubernetes', await strangeFolder(config), ...args)
    const text = part?.text ?? ''
    return { text, all: manifestsIn(text) }
  }

  it('prints nothing that Kubernetes would refuse', async () => {
    for (const config of [base, { ...base, source: { ...base.source, shards: 3 } }])
      expect(cronJobsOf((await documentsOf(config)).all).flatMap(problemsOf)).toEqual([])
  })

  it('prints a CronJob and a volume for each pipeline', async () => {
    const { all } = await documentsOf({
      ...base,
      pipelines: { hourly: {}, Daily_2: { schedule: { cron: '5 4 * * 5-7', timezone: 'Europe/Berlin' } } },
    })
    const jobs = cronJobsOf(all)
    expect(all.length).toBe(4)
    expect(jobs.map(({ metadata, spec }) => [metadata?.name, spec?.schedule, spec?.timeZone])).toEqual([
      ['owm-hourly', '0 * * * *', 'UTC'],
      ['owm-daily-2', '5 4 * * 0,5,6', 'Europe/Berlin'],
    ])
    const [job] = jobs
    expect(job?.spec).toMatchObject({ concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 3600 })
    const { template, backoffLimit, podFailurePolicy } = job?.spec?.jobTemplate.spec ?? {}
    expect({ backoffLimit, restartPolicy: template?.spec?.restartPolicy }).toEqual({
      backoffLimit: 4,
      restartPolicy: 'Never',
    })
    const exits = podFailurePolicy?.rules.find(({ action }) => action === 'FailJob')?.onExitCodes?.values
    expect(exits).toEqual([2, 65, 70, 78])
  })

  it('has the times of the schedule in an expression that Kubernetes takes', async () => {
    const { timetable } = await import('../../src/schedule/timetable.js')
    const crons = [
      '@weekly',
      '*/10 6-9 * * MON-FRI',
      '0 0 13 * 5',
      '0 0 1-31 * 1',
      '5 4 * 2,3 5-7',
      '0 12 ? JAN-MAR SUN',
    ]
    const { all } = await documentsOf({
      ...base,
      pipelines: Object.fromEntries(crons.map((cron, index) => [`p${index}`, { schedule: { cron } }])),
    })
    const printed = cronJobsOf(all).map(({ spec }) => spec?.schedule ?? '')
    for (const [index, cron] of crons.entries()) {
      // Its weekdays are 0 to 6.
      expect(printed[index]).toMatch(/^([\d*,/-]+ ){4}[0-6*,/-]+$/)
      const times = [cron, printed[index] ?? ''].map((one) => {
        const { between } = timetable({ cron: one, timezone: 'UTC' })
        return [...between(Date.parse('2026-11-23T00:00:00Z'), Date.parse('2027-11-23T00:00:00Z'))]
      })
      expect(times[0]).toEqual(times[1])
    }
    const { all: special } = await documentsOf({ ...base, schedule: { cron: '20 5 L * *' } })
    expect(cronJobsOf(special)[0]?.spec?.schedule).toBe('20 * * * *')
  })

  it('is what the validator refuses once a key has another type', async () => {
    const { text } = await documentsOf(base)
    const broken = text.replace('concurrencyPolicy: Forbid', 'concurrencyPolicy: Perhaps')
    expect(() => cronJobsOf(manifestsIn(broken))).toThrow('concurrencyPolicy')
  })

  it('is an Indexed Job for shards, each with an outbox of its own', async () => {
    const { all } = await documentsOf({ ...base, source: { ...base.source, shards: 3 } })
    const [job] = cronJobsOf(all)
    const spec = job?.spec?.jobTemplate.spec
    expect(all).toHaveLength(1) // pods on several machines can't share a claim
    expect(spec).toMatchObject({ completionMode: 'Indexed', completions: 3, parallelism: 3 })
    expect(spec?.template.spec?.containers[0]?.args).toContain('/var/lib/owm/outbox-$(JOB_COMPLETION_INDEX).db')
    expect(spec?.template.spec?.containers[0]?.envFrom).toBeUndefined()
  })

  it('has a name and a claim for each shard that is printed by itself', async () => {
    const name = `${'a-long-name-'.repeat(5)}end`
    const config = { ...base, pipelines: { short: {}, [name]: {} } }
    const jobs = cronJobsOf((await documentsOf(config, '--set', 'source.shard=10/100')).all)
    const names = jobs.map(({ metadata }) => metadata?.name)
    expect(names).toEqual(['owm-short-10-of-100', expect.stringMatching(/^owm-a-long-name-.*-10-of-100$/)])
    const volumes = jobs.map(({ spec }) => spec?.jobTemplate.spec?.template.spec?.volumes?.[1]?.persistentVolumeClaim)
    expect(volumes.map((claim) => claim?.claimName)).toEqual(names.map((one) => `${one}-outbox`))
    expect(jobs.flatMap(problemsOf)).toEqual([])
  })

  it.each([
    [{ pipelines: { a_b: {}, 'a-b': {} } }, 'owm-a-b'],
    [{ source: { ...base.source, shards: 3, shard: '0/3' } }, 'both set'],
  ])('refuses what Kubernetes would take for something else: %o', async (config, word) => {
    const cwd = await folderWith({ ...base, ...config })
    const ran = await owm(['init', '--print', 'kubernetes'], { cwd })
    expect(ran).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining(word) })
  })

  it('names the files that a pod could not write', async () => {
    const { text } = await documentsOf({ ...base, metrics: { textfile: '/var/lib/owm/metrics/owm.prom' } })
    const [, named] = /^# The pod can write to \/var\/lib\/owm only: .*\n((?:# {3}.*\n)*)/m.exec(text) ?? []
    expect(named).toMatch(/^# {3}\/.*\/later\/tasks\.jsonl\n$/)
  })

  it('has arguments that owm takes', async () => {
    const cwd = await folderWith(base)
    await mkdir(join(cwd, 'later'))
    const { all } = await documentsOf(base, '--set', 'source.count=2')
    const args = cronJobsOf(all)[0]?.spec?.jobTemplate.spec?.template.spec?.containers[0]?.args ?? []
    expect(args.map((arg) => basename(arg))).toContain('.owmrc.json')
    const here = args.map((arg) => arg.replace('/etc/owm', cwd).replace('/var/lib/owm', join(cwd, 'volume')))
    await mkdir(join(cwd, 'volume'))
    expect(await owm(here, { cwd })).toMatchObject({ code: 0, stdout: expect.stringContaining('2 tasks delivered') })
    expect(await readdir(join(cwd, 'volume'))).toContain('outbox.db')
  })
})

describe.each(['crontab', 'systemd', 'kubernetes'])('--print %s', (scheduler) => {
  it('names the variables that the configuration reads, never a value, nor a secret', async () => {
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url: 'rediss://u:hunter22@h', stream: 's-${STREAM}', password: '${REDIS_PASSWORD}' },
      source: { use: 'http', url: 'https://x/${PLACE}', token: '${file:$CREDENTIALS_DIRECTORY/token}' },
      outbox: { path: '${BASE_FOLDER}/o.db' },
      notify: { ping: '${file:$CREDENTIALS_DIRECTORY/ping}', on: { failure: [{ url: '${CHECK_URL}' }] } },
      metrics: { textfile: '${METRICS_FOLDER}/owm.prom' },
    })
    const env = { BASE_FOLDER: '/secret-place', STREAM: 'secret-stream', REDIS_PASSWORD: 'secret-word' }
    for (const given of [{}, env]) {
      const text = await textOf([scheduler], { cwd, env: { ...given, OWM_REDIS_URL: 'redis://:hunter33@h' } })
      for (const name of [
        'BASE_FOLDER',
        'STREAM',
        'REDIS_PASSWORD',
        'PLACE',
        'OWM_REDIS_URL',
        'CHECK_URL',
        'METRICS_FOLDER',
      ])
        expect(text).toContain(name)
      expect(text).not.toMatch(/hunter|secret-/)
      expect(text).toContain(scheduler === 'crontab' ? 'CREDENTIALS_DIRECTORY' : 'token')
    }
    expect(await owm(['init', '--print', scheduler, '--set', 'sink.password=hunter44'], { cwd })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/secret(?!.*hunter)/s),
    })
  })

  it('says what is missing', async () => {
    const cwd = await temporaryFolder()
    expect(await owm(['init', '--print', scheduler], { cwd })).toMatchObject({
      code: 78,
      stdout: '',
      stderr: expect.stringMatching(/no configuration in .*\n.*owm init/),
    })
    const { schedule, ...unscheduled } = base
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(unscheduled))
    const ran = await owmJson<PrintResult & { error: { code: string } }>(['init', '--print', scheduler], { cwd })
    expect(ran).toMatchObject({ code: 78, json: { scheduler, files: [], error: { code: 'CONFIGURATION' } } })
    expect(JSON.stringify(ran.json)).toContain('schedule: {cron')
  })

  it('refuses a folder that no line can name', async () => {
    const cwd = join(await temporaryFolder(), 'a\nb')
    await mkdir(cwd)
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(base))
    expect(await owm(['init', '--print', scheduler], { cwd })).toMatchObject({ code: 78, stdout: '' })
  })

  it.each(['200f', '202e', '2028'])('prints the name of a folder that has U+%s only escaped, in JSON', async (code) => {
    const cwd = join(await temporaryFolder(), `a${String.fromCharCode(Number.parseInt(code, 16))}b`)
    await mkdir(cwd)
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(base))
    const refused = expect.stringContaining(`a\\u${code}b" has a mark`)
    expect(await owm(['init', '--print', scheduler], { cwd })).toMatchObject({ code: 78, stdout: '', stderr: refused })
    expect(JSON.stringify(await partsOf(scheduler, cwd))).toContain(cwd)
  })
})
