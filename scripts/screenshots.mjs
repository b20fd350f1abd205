/** `npm run screenshots [FOLDER]`: the pictures in docs/images: of a terminal, and of a report on three days. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Chromium } from '../test/support/chromium.ts'
import { makeScene, owmAt } from '../test/support/report-scene.ts'
import { terminal } from './terminal.mjs'

const images = process.argv[2] ?? join(dirname(import.meta.dirname), 'docs', 'images')
const hour = 3_600_000
const begin = Date.parse('2026-11-24T00:00:20Z')

/** Hours at which nothing started: some are covered by the next run, those of a night are too old for it. */
const asleep = (number) => (number >= 9 && number < 12) || (number >= 24 && number < 37) || number === 46
const starts = Array.from({ length: 58 }, (_, number) => number)
  .filter((number) => !asleep(number))
  .map((number) => new Date(begin + number * hour + ((number * 7919) % 40) * 1000).toISOString())

const rows = ['9000001,Atlantis,Ocean,XX,95.5,-30.1,0', '9000002,,Nowhere,XX,10,10,1', '9000003,Bouvet,,XX,-54.4,x,0']

const folder = await mkdtemp(join(tmpdir(), 'owm-pictures-'))
const chromium = await Chromium.start()
try {
  makeScene(folder, { starts, rows, isBusy: true })
  owmAt(folder, new Date(Date.parse(starts.at(-1)) + 90_000).toISOString(), 'report', '--out', 'report.html')
  await mkdir(images, { recursive: true })
  await writeFile(join(images, 'terminal.svg'), await terminal())
  for (const [name, look, part] of [
    ['report-light', { width: 820, height: 640, theme: 'light' }],
    ['report-phone-dark', { width: 400, height: 860, theme: 'dark' }, 'map-title'],
  ]) {
    await chromium.open(join(folder, 'report.html'), look)
    if (part) await chromium.evaluate(`document.getElementById('${part}').scrollIntoView()`)
    await chromium.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    await writeFile(join(images, `${name}.png`), await chromium.picture())
  }
} finally {
  await chromium.close()
  await rm(folder, { recursive: true, force: true })
}
