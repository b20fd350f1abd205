/** A picture of a terminal, as SVG: what owm really printed in a folder with cities, through an outage of two hours. */
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { owmAt } from '../test/support/report-scene.ts'

const root = dirname(import.meta.dirname)
const cities = join(root, 'examples', 'world-cities.csv')
const day = (time) => `2026-11-26T${time}Z`

/** What is typed, and when; nothing starts at 10:00 and 11:00. */
const scene = [
  [day('09:00:03'), 'produce'],
  [day('12:00:02'), 'produce'],
  [day('12:00:41'), 'produce'],
  [day('12:01:10'), 'runs'],
  [day('12:01:30'), 'verify'],
]

/** @returns {Promise<string>} the SVG */
export async function terminal() {
  // Of an outbox in the folder for temporary files owm warns.
  const folder = await mkdtemp(join(await realpath(join(root, 'node_modules')), '.terminal-'))
  try {
    const sink = { use: 'jsonl', path: './tasks.jsonl' }
    const config = {
      schedule: { cron: '0 * * * *' },
      source: { use: 'static-list', file: cities },
      sink,
      outbox: { path: 'o.db' },
    }
    await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
    const lines = scene.flatMap(([time, ...args]) => {
      const { stdout, stderr } = owmAt(folder, time, ...args)
      const printed = `${stderr}${stdout}`.replaceAll(`${folder}/`, '').trimEnd()
      return [`$ owm ${args.join(' ')}`, ...printed.split('\n').flatMap(folded), '']
    })
    return drawn(lines.slice(0, -1))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const width = 100

/** Broken between words, where the terminal is too narrow. */
const folded = (line) =>
  line
    .match(new RegExp(`.{1,${width}}(?= |$)|.{1,${width}}`, 'g'))
    ?.map((one, at) => (at === 0 ? one : one.trimStart())) ?? ['']

function drawn(lines) {
  const [column, row, edge] = [8.4, 18, 18]
  const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const texts = lines.map((line, at) => {
    const colour = line.startsWith('$ ') ? ' class="typed"' : ''
    return `<text x="${edge}" y="${edge + 13 + at * row}"${colour} xml:space="preserve">${escaped(line)}</text>`
  })
  const size = [Math.round(width * column + 2 * edge), lines.length * row + 2 * edge]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size.join(' ')}">`,
    '<title>owm in a terminal: one run a scheduled hour, the first one after an outage covers what was missed</title>',
    '<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#d7dce2}.typed{fill:#8fd18f}</style>',
    '<rect width="100%" height="100%" rx="8" fill="#1b1f24"/>',
    ...texts,
    '</svg>',
    '',
  ].join('\n')
}
