/**
 * `npm run docs`: writes man/owm.1, and what stands between marks in docs/: from the commands' manifest, the plugins'
 * own schemas, the declared checks and the messages in src/.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defaultOf } from '../src/cli/format.ts'
import { checks } from '../src/doctor/checks.ts'
import { exampleOf, optionRows } from '../src/plugins/describe.ts'
import { sinks } from '../src/sinks/index.ts'
import { sources } from '../src/sources/index.ts'
import { isOfAll, manPage, nameOfFlag, shownIn, typed } from './man.mjs'
import { troubleshooting } from './troubleshooting.mjs'

const folder = join(dirname(import.meta.dirname), 'docs')

/** The documents as they should be: path -> text. */
export async function documents() {
  const manifest = JSON.parse(await readFile(join(folder, '..', 'oclif.manifest.json'), 'utf8'))
  return {
    [join(folder, '..', 'man', 'owm.1')]: manPage(manifest),
    [join(folder, 'commands.md')]: await written('commands.md', 'commands', commands(manifest)),
    [join(folder, 'sources.md')]: await written('sources.md', 'sources', await sectionsOf('source', sources)),
    [join(folder, 'plugins.md')]: await written('plugins.md', 'sinks', await sectionsOf('sink', sinks)),
    [join(folder, 'troubleshooting.md')]: await written('troubleshooting.md', 'messages', await everyMessage()),
  }
}

/** A document with its generated part, which stands between two marks. */
async function written(file, name, part) {
  const path = join(folder, file)
  const text = await readFile(path, 'utf8')
  const [begin, end] = [`<!-- ${name}: npm run docs -->`, `<!-- /${name} -->`]
  const [before, after] = [text.split(begin)[0], text.split(end)[1]]
  if (before === text || after === undefined) throw new Error(`${path} has lost its marks for the generated part`)
  return `${before}${begin}\n\n${part}\n${end}${after}`
}

async function sectionsOf(kind, plugins) {
  const sections = await Promise.all(
    Object.entries(plugins).map(async ([use, load]) => sectionOf(kind, use, (await load()).default)),
  )
  return sections.join('\n')
}

function sectionOf(kind, use, { description, options }) {
  const rows = optionRows(options).map((option) => {
    const { name, type, unit, secret } = option
    const fallback = defaultOf(option)
    const about = `${option.description}${secret ? '; a secret: never shown' : ''}`
    return [`\`${name}\``, type, unit ?? '', fallback === '' || option.required ? fallback : `\`${fallback}\``, about]
  })
  return [
    `### \`${use}\``,
    '',
    `${description[0].toUpperCase()}${description.slice(1)}.`,
    '',
    ...table(['option', 'type', 'unit', 'default', 'description'], rows),
    '',
    '```yaml',
    exampleOf(kind, use, options),
    '```',
    '',
  ].join('\n')
}

/** A command's flags under its name; those that all have, first. */
function commands(manifest) {
  const { shown, everywhere } = shownIn(manifest)
  const sections = shown.map((command) => [
    `### \`${typed(command)}\``,
    '',
    ...[command.summary, command.description].filter(Boolean).flatMap((text) => [text, '']),
    ...tableOf(Object.values(command.args), ({ name }) => name.toUpperCase()),
    ...tableOf(
      Object.values(command.flags).filter((flag) => !isOfAll(flag)),
      nameOfFlag,
    ),
  ])
  return ['## Every command', '', ...tableOf(everywhere, nameOfFlag), ...sections.flat()].join('\n')
}

function tableOf(flags, nameOf) {
  if (flags.length === 0) return []
  const rows = flags.map((flag) => {
    const { description = '', default: fallback, env } = flag
    const more = [fallback === undefined ? '' : `default ${fallback}`, env ? `$${env}` : ''].filter(Boolean)
    return [`\`${nameOf(flag)}\``, `${description}${more.length > 0 ? ` (${more.join(', ')})` : ''}`]
  })
  return [...table(['', 'what it does'], rows), '']
}

/** All that owm says of itself, by what it is about, then what `owm doctor` finds. */
async function everyMessage() {
  const sections = troubleshooting().map(({ title, intro, head, rows }) =>
    [`## ${title}`, ...intro.flatMap((text) => ['', text]), '', ...table(head, rows), ''].join('\n'),
  )
  return [...sections, '## What `owm doctor` finds', '', await findings()].join('\n')
}

/** The checks of owm's own, then those of the built-in plugins. */
async function findings() {
  const plugins = await Promise.all(Object.values({ ...sources, ...sinks }).map(async (load) => (await load()).default))
  const all = Object.entries(Object.assign({}, checks, ...plugins.map((plugin) => plugin.checks ?? {})))
  const rows = all.map(([code, { about, why, todo, exitCode }]) => [`\`${code}\``, about, why, todo, String(exitCode)])
  return `${table(['code', 'what is looked at', 'why it matters', 'what to do', 'exit'], rows).join('\n')}\n`
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`.replaceAll(
      / {2,}/g,
      ' ',
    ),
  )

if (process.argv[1] === import.meta.filename)
  for (const [path, text] of Object.entries(await documents())) await writeFile(path, text)
