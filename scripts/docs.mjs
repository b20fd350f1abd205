/** `npm run docs`: writes docs/sources.md, and the tables of docs/plugins.md, from the built plugins' own schemas. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultOf } from '../src/cli/format.ts'
import { exampleOf, optionRows } from '../src/plugins/describe.ts'
import { sinks } from '../src/sinks/index.ts'
import { sources } from '../src/sources/index.ts'

const folder = fileURLToPath(new URL('../docs', import.meta.url))

const aboutSources = `# Sources

Written by \`npm run docs\` from the sources' own schemas; \`owm plugins\` shows the same in a terminal, with the sources that you installed or
wrote yourself ([plugins.md](plugins.md)).

The options stand beside \`use:\`. Every source also takes \`timeoutMs\` and \`maxLocations\` (see the README). \`pagination.limit\` is \`limit:\`
inside of \`pagination:\`, \`list[].name\` is \`name:\` in each entry of \`list:\`. A secret is best written as \`\${NAME}\`, which is read from the
environment.
`

/** The documents as they should be: path -> text. */
export async function documents() {
  const path = join(folder, 'plugins.md')
  const plugins = await readFile(path, 'utf8')
  const [before, after] = [plugins.split('<!-- sinks: npm run docs -->')[0], plugins.split('<!-- /sinks -->')[1]]
  if (before === plugins || after === undefined) throw new Error(`${path} has lost its marks for the generated part`)
  return {
    [join(folder, 'sources.md')]: `${aboutSources}\n${await sectionsOf('source', sources)}`,
    [path]: `${before}<!-- sinks: npm run docs -->\n\n${await sectionsOf('sink', sinks)}\n<!-- /sinks -->${after}`,
  }
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
  const table = [['option', 'type', 'unit', 'default', 'description'], ['---', '---', '---', '---', '---'], ...rows]
  return [
    `${kind === 'source' ? '##' : '###'} \`${use}\``,
    '',
    `${description[0].toUpperCase()}${description.slice(1)}.`,
    '',
    ...table.map((cells) =>
      `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`.replaceAll(
        / {2,}/g,
        ' ',
      ),
    ),
    '',
    '```yaml',
    exampleOf(kind, use, options),
    '```',
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, text] of Object.entries(await documents())) await writeFile(path, text)
