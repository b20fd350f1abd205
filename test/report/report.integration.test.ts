/** `owm report`: the command, and its page in a real browser. */
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReportResult } from '../../src/commands/report.js'
import { Chromium, type Look } from '../support/chromium.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { makeScene, owmAt, secret } from '../support/report-scene.js'

const starts = ['2026-11-24T00:00:20Z', '2026-11-24T03:00:20Z', '2026-11-24T15:00:20Z']
const now = '2026-11-24T15:01:00Z'
const desk: Look = { width: 1200, height: 900, theme: 'light' }

/** Names that would do something if they were taken for more than text. */
const hostile = [
  '</script><script>globalThis.owned = 1</script>',
  '<img src=x onerror="globalThis.owned = 2">',
  '<!--<script>',
  '{{script}}$&$1',
  'left\u202etfel',
  'bell\u0007\u001b[31m',
] as const
const rows = [
  '9000001,Atlantis,Ocean,XX,95.5,-30.1,0',
  ...hostile.map(
    (name, index) => `80${index},"${name.replaceAll('"', '""')}",<b>Hostile</b>,XX,${index},${10 + index},0`,
  ),
]

let folder = ''
let chromium: Chromium
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-report-'))
  makeScene(folder, { starts, rows, isBusy: true })
  chromium = await Chromium.start()
})
afterAll(async () => {
  await chromium?.close()
  await rm(folder, { recursive: true, force: true })
})

const texts = async (selector: string): Promise<unknown> =>
  chromium.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent)`)
const attributes = async (selector: string, name: string): Promise<unknown> =>
  chromium.evaluate(
    `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.getAttribute('${name}'))`,
  )

/** Writes text into the search field, as somebody would. */
const search = (text: string): Promise<unknown> =>
  chromium.evaluate(`{
    const field = document.getElementById('search')
    field.value = ${JSON.stringify(text)}
    field.dispatchEvent(new Event('input'))
  }`)

it('writes the page in one step, tells what is in it, and shows no secret', async () => {
  const ran = owmAt(folder, now, 'report', '--out', 'page.html', '--json')
  const result: ReportResult = JSON.parse(ran.stdout)
  const page = await readFile(join(folder, 'page.html'), 'utf8')
  expect(ran.code).toBe(0)
  expect(result).toMatchObject({ file: join(folder, 'page.html'), bytes: Buffer.byteLength(page), isCut: false })
  expect(result).toMatchObject({ locations: 1_507, runs: 3 })
  expect(page).toContain('the queue is full for ***')
  expect(page + ran.stderr).not.toContain(secret)
  expect((await readdir(folder)).filter((name) => name.includes('page.html'))).toEqual(['page.html'])
})

describe('its page', () => {
  beforeAll(() => chromium.open(join(folder, 'page.html'), desk))

  it('asks nobody for anything, and has nothing to complain of', async () => {
    expect(chromium.requests.map((url) => url.replace(/.*\//, ''))).toEqual(['page.html'])
    expect(chromium.complaints).toEqual([])
    const policy = await attributes('meta[http-equiv]', 'content')
    expect(policy).toEqual([expect.stringContaining("default-src 'none'; script-src 'sha256-")])
    expect(await readFile(join(folder, 'page.html'), 'utf8')).not.toMatch(/\b(src|href)="?https?:/)
  })

  it('says what there is', async () => {
    expect(await texts('#verdict')).toEqual([
      '36 tasks are dead. 306 tasks are pending. 1 run is not finished. 6 slots were missed.',
    ])
    expect(await texts('#legend b')).toEqual(['10', '1', '306', '1,190'])
    expect(await texts('#timeline .legend li')).toEqual(
      expect.arrayContaining(['missed', 'covered by a later run', 'not finished', 'delivered, with dead letters']),
    )
    expect(await attributes('.slot.missed', 'aria-label')).toEqual([
      '2026-11-24 04:00 to 2026-11-24 09:00 UTC: 6 slots missed (schedule.maxAge)',
    ])
    expect(await attributes('.slot.covered', 'aria-label')).toEqual([
      '2026-11-24 01:00 to 2026-11-24 02:00 UTC: 2 slots covered by the run of 2026-11-24 03:00',
      '2026-11-24 10:00 to 2026-11-24 14:00 UTC: 5 slots covered by the run of 2026-11-24 15:00',
    ])
    expect(await texts('#plan-facts')).toEqual([
      expect.stringMatching(/^0 \* \* \* \* \(UTC\) · 36,144 tasks in 24 hours/),
    ])
    expect(await texts('#reasons-table tbody th')).toEqual([
      'no model covers this place',
      expect.stringContaining('latitude must be a number of degrees'),
    ])
  })

  it('draws each state in its colour', async () => {
    const colours = await chromium.evaluate(`{
      const canvas = document.querySelector('#map canvas')
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      const seen = new Set()
      for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 3).join())
      const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join()
      ;['#a35f00', '#c4262e', '#d3dbe2', '#eef3f7'].map((colour) => seen.has(parts(colour)))
    }`)
    expect(colours).toEqual([true, true, true, true])
  })

  it('takes strange names for text', async () => {
    for (const name of hostile) {
      await search(name.slice(0, 4))
      expect(await texts('#places-table tbody th')).toContain(name.replaceAll(/\p{C}/gu, '\ufffd'))
    }
    await search('')
    expect(await chromium.evaluate('globalThis.owned === undefined && document.images.length === 0')).toBe(true)
    expect(await chromium.evaluate('document.scripts.length')).toBe(2)
  })

  it('can be used by keyboard', async () => {
    const [before] = [await chromium.evaluate(`document.querySelector('#map canvas').toDataURL()`)]
    await chromium.evaluate(`document.getElementById('map').focus()`)
    await chromium.press('+')
    await chromium.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    expect(await chromium.evaluate(`document.querySelector('#map canvas').toDataURL()`)).not.toBe(before)
    await chromium.evaluate(`document.querySelector('.slot[tabindex="0"]').focus()`)
    const [first] = [await texts('#slot')]
    await chromium.press('ArrowRight')
    expect(await texts('#slot')).not.toEqual(first)
    expect(await chromium.evaluate(`document.querySelectorAll('.slot[tabindex="0"]').length`)).toBe(1)
    await search('nairobi')
    await chromium.evaluate(`document.querySelector('#places-table .choose').focus()`)
    await chromium.press('Enter')
    expect(await texts('#place strong')).toEqual(['Nairobi'])
    await search('')
    await chromium.evaluate(`document.getElementById('theme').focus()`)
    await chromium.press('Enter')
    expect(await chromium.evaluate('document.documentElement.dataset.theme')).toBe('dark')
  })

  it('can be read by a screen reader', async () => {
    const { nodes } = await chromium.call('Accessibility.getFullAXTree')
    const tree: { ignored: boolean; role?: { value: string }; name?: { value: string } }[] = JSON.parse(
      JSON.stringify(nodes),
    )
    const named = (role: string): string[] =>
      tree.filter((node) => !node.ignored && node.role?.value === role).map((node) => node.name?.value ?? '')
    expect(named('main')).toHaveLength(1)
    expect(named('heading')).toEqual([
      ...['world-weather', 'Summary', 'Map', 'Runs', 'The next 24 hours', 'Rejected and dead', 'Locations'],
    ])
    expect(named('image')).toEqual([
      expect.stringMatching(/^World map of 1,507 locations: 10 dead, 1 rejected, 306 pending, 1,190 delivered/),
      expect.stringMatching(/^Rate, locations read a second: median/),
      expect.stringMatching(/^Lag, from the slot until all of it was delivered: median/),
      expect.stringMatching(/^Tasks of each coming slot: 24 slots/),
    ])
    for (const role of ['button', 'checkbox', 'searchbox', 'table', 'region'])
      expect(named(role).filter((name) => name.trim() === '')).toEqual([])
  })

  it.each(['light', 'dark'] as const)('fits a phone, in a %s theme', async (theme) => {
    await chromium.open(join(folder, 'page.html'), { width: 400, height: 800, theme })
    expect(await chromium.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400)
    expect(await chromium.evaluate('document.documentElement.dataset.theme')).toBe(theme)
  })
})

it('shows 100,000 locations in at most 8 MB', async () => {
  const many = await folderWith({
    source: { use: 'simulated-db', count: 100_000 },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
  await owm(['produce', '--slot', '2026-11-24T00:00:00Z'], { cwd: many })
  const { json } = await owmJson<ReportResult>(['report'], { cwd: many })
  const file = join(many, 'report.html')
  expect(json).toMatchObject({ file, locations: 100_000, runs: 1 })
  expect((await stat(file)).size).toBeLessThanOrEqual(8_000_000)
  await chromium.open(file, desk)
  expect(await texts('#places-table .status')).toEqual(['1 to 25 of 100,000'])
  await search('zz no such place')
  expect(await texts('#places-table .status')).toEqual(['No location is as you asked for.'])
  const usable = await chromium.evaluate('Number(document.documentElement.dataset.usableMs)')
  expect(usable).toBeGreaterThan(0)
  process.stderr.write(`report of 100,000 locations: ${json.bytes} bytes, usable after ${usable} ms\n`)
})

it.runIf(isLong)(
  'says how many more locations there are, and which',
  async () => {
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 100_030 },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db', keepTasks: 300_000 },
    })
    const at = (slot: string, count: number) =>
      owm(['produce', '--slot', slot, '--set', `source.count=${count}`], { cwd })
    for (const slot of ['2026-11-24T00:00:00Z', '2026-11-24T01:00:00Z']) expect((await at(slot, 100_000)).code).toBe(0)
    const exact = await owm(['report', '--no-source', '--out', 'exact.html'], { cwd })
    expect(exact.stdout).toMatch(/: 100,000 locations and 2 runs, \d MB\n$/)
    expect((await at('2026-11-24T02:00:00Z', 100_020)).code).toBe(0)
    const stored = await owm(['report', '--no-source', '--out', 'page.html'], { cwd })
    expect(stored.stdout).toMatch(/; not shown: at least 20 more locations, with the oldest tasks\n$/)
    const listed = await owm(['report', '--out', 'page.html'], { cwd })
    expect(listed.stdout).toMatch(
      /: 100,000 locations .*; not shown: at least 30 more locations, with the oldest tasks, or with none\n$/,
    )
    await chromium.open(join(cwd, 'page.html'), desk)
    expect(await texts('#map-text')).toEqual([
      expect.stringMatching(
        / Not shown, here or in the table: at least 30 more locations, with the oldest tasks, or with none\.$/,
      ),
    ])
    expect(await texts('#tiles dd')).toContain('more are not shown: see the map')
  },
  180_000,
)

it('says what hinders it, and leaves what was there', async () => {
  const cwd = await folderWith({
    source: { use: 'static-list', file: './none.csv' },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
  const page = join(cwd, 'report.html')
  const failed = await owm(['report'], { cwd })
  expect(failed.code).not.toBe(0)
  expect(await readFile(page, 'utf8')).toContain('none.csv')
  const printed = await owm(['report', '--no-source', '--out', '-'], { cwd })
  expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^<!doctype html>[\s\S]*<\/html>\n$/) })
  await writeFile(page, 'before')
  const nowhere = await owm(['report', '--no-source', '--out', 'none/report.html'], { cwd })
  expect(nowhere).toMatchObject({ code: 78, stderr: expect.stringContaining(`no folder ${join(cwd, 'none')}`) })
  const onFolder = await owm(['report', '--no-source', '--out', '.'], { cwd })
  expect(onFolder).toMatchObject({ code: 78, stderr: expect.stringContaining('is no regular file') })
  expect(await owm(['report', '--out', '-', '--json'], { cwd })).toMatchObject({ code: 2 })
  expect(await readFile(page, 'utf8')).toBe('before')
})

it('replaces an older report, and no other file that is there', async () => {
  const list = 'city,state,latitude,longitude\nOslo,NO,59.9,10.7\n'
  const source = { use: 'static-list', file: './list.csv' }
  const cwd = await folderWith({ source, sink: { use: 'jsonl', path: './tasks.jsonl' }, outbox: { path: './o.db' } })
  await writeFile(join(cwd, 'list.csv'), list)
  await writeFile(join(cwd, 'empty.html'), '')
  await symlink('list.csv', join(cwd, 'link.html'))
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0 })
  expect(await owm(['produce', '--no-flush'], { cwd })).toMatchObject({ code: 0 })
  const kept = ['list.csv', 'tasks.jsonl', 'o.db', '.owmrc.json']
  const read = () => Promise.all(kept.map((file) => readFile(join(cwd, file), 'latin1')))
  const before = await read()
  for (const out of [...kept, 'link.html', 'o.db-wal', 'o.db-lock'])
    expect(await owm(['report', '--out', out], { cwd }), out).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is no report of owm|is a file of the outbox/),
    })
  expect(await read()).toEqual(before)
  for (const out of ['empty.html', 'empty.html', 'new.html'])
    expect(await owm(['report', '--out', out], { cwd }), out).toMatchObject({ code: 0 })
  expect(await readFile(join(cwd, 'empty.html'), 'utf8')).toContain('Oslo')
})
