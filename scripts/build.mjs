/**
 * The build. Two bundles, since Node takes longer to find and compile 1,500 files than a small run takes: `dist/cli.cjs` is oclif, `dist/owm.cjs` all
 * the rest; src/load.ts runs them. Around them the small files that others import: a command a file for oclif, `index.js`, `testing.js`.
 */
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** Loaded only where they are there: `sqlite3` is native, the others are a user's choice. */
const external = ['sqlite3', 'jiti', 'typescript', 'tsx', 'ts-node', 'pg', 'pg-native', 'pg-query-stream', 'mysql', 'mysql2', 'redis']

/** The Redis commands that owm and ioredis itself send as methods. */
const commands = ['auth', 'client', 'eval', 'hmget', 'info', 'ping', 'quit', 'select']

/** What the start would pay for and owm never uses. */
const unused = {
  name: 'unused',
  setup({ onLoad }) {
    const shorten = (filter, from, to) =>
      onLoad({ filter }, async ({ path }) => {
        const parts = (await readFile(path, 'utf8')).split(from)
        if (parts.length !== 2) throw new Error(`${path} has "${from}" ${parts.length - 1} times`)
        return { contents: parts.join(to), loader: 'js' }
      })
    // ioredis makes two methods of each of Redis' 400 commands.
    shorten(/[\\/]ioredis[\\/]built[\\/]utils[\\/]Commander\.js$/, 'commands_1.list.filter(', `${JSON.stringify(commands)}.filter(`)
    // Command names are ASCII: a collator for them takes 8 ms to load.
    shorten(/[\\/]oclif[\\/]core[\\/]lib[\\/]config[\\/]plugin\.js$/, '.sort((a, b) => a.id.localeCompare(b.id))', '.sort((a, b) => (a.id < b.id ? -1 : 1))')
    // TypeORM imports all of its drivers, zod all of its languages.
    onLoad({ filter: /[\\/]typeorm[\\/]driver[\\/][a-z-]+[\\/]/ }, ({ path }) => {
      const [, driver] = /driver[\\/]([a-z-]+)[\\/]/.exec(path) ?? []
      if (['sqlite', 'sqlite-abstract', 'postgres', 'mysql', 'types'].includes(driver)) return undefined
      const file = path.split(/[\\/]/).at(-1).replace(/\.js$/, '')
      return { contents: `exports.${file} = class {}`, loader: 'js' }
    })
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]/ }, ({ path }) =>
      /(en|index)\.js$/.test(path) ? undefined : { contents: 'export default () => ({})', loader: 'js' },
    )
  },
}

/** oclif is in the other bundle. */
const oclifApart = {
  name: 'oclif apart',
  setup({ onResolve }) {
    onResolve({ filter: /^@oclif\/core\// }, () => ({ path: './cli.cjs', external: true }))
  },
}

/** Writes `dist/` of the project at `root`, the type declarations left out. */
export async function bundle(root) {
  const dist = join(root, 'dist')
  await rm(dist, { recursive: true, force: true })
  const folders = await Promise.all(['commands', 'hooks'].map((folder) => readdir(join(root, 'src', folder), { recursive: true, withFileTypes: true })))
  const files = folders.flat().filter((entry) => entry.isFile())
  /** What others import from the bundle, each under its own file. */
  const modules = ['index', 'testing', 'testing-runner', 'load-plugin'].concat(
    files.map((entry) => relative(join(root, 'src'), join(entry.parentPath, entry.name)).replaceAll('\\', '/').replace(/\.ts$/, '')),
  )
  const common = {
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    external,
    define: { 'import.meta.url': '__url' },
    banner: { js: '(function (exports, require, module, __filename, __dirname, __import) {const __url = require("node:url").pathToFileURL(__filename).href;' },
    footer: { js: '})' },
    legalComments: 'none', // see LICENSES.txt
    logLevel: 'warning',
    metafile: true,
    write: false,
  }
  const entry = (name, contents, plugins) =>
    build({ ...common, outfile: join(dist, `${name}.cjs`), stdin: { contents, resolveDir: root, sourcefile: `${name}.js` }, plugins })
  const bundles = await Promise.all([
    entry('cli', "export * from '@oclif/core/execute'; export * from '@oclif/core/command'; export * from '@oclif/core/flags'", [unused]),
    entry('owm', modules.map((name) => `exports['${name}'] = () => require('./src/${name}.ts')`).join('\n'), [unused, oclifApart]),
  ])
  for (const { outputFiles } of bundles) for (const { path, text } of outputFiles) await write(path, text.replaceAll(/(?<![.\w])import\((?!\))/g, '__import('))
  const texts = bundles.flatMap(({ outputFiles }) => outputFiles.map(({ text }) => text))
  await build({
    // Node itself loads these two.
    entryPoints: [join(root, 'src', 'load.ts'), join(root, 'src', 'resolve-owm.ts')],
    outdir: dist,
    format: 'esm',
    target: 'node20.19',
    define: { build: JSON.stringify(hash('sha1', texts.join('')).slice(0, 12)) },
  })

  const { load } = await import(pathToFileURL(join(dist, 'load.js')).href)
  for (const name of modules) {
    const { default: main, ...named } = load('owm')[name]()
    const lines = [
      `import { load } from './${'../'.repeat(name.split('/').length - 1)}load.js'`,
      `const module = load('owm')['${name}']()`,
      ...(main === undefined ? [] : ['export default module.default']),
      ...(Object.keys(named).length === 0 ? [] : [`export const { ${Object.keys(named).join(', ')} } = module`]),
    ]
    await write(join(dist, `${name}.js`), `${lines.join('\n')}\n`)
  }
  await write(
    join(dist, 'LICENSES.txt'),
    await licenses(
      root,
      bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs)),
    ),
  )
}

async function write(path, text) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

/** The licences of all the packages that are in the bundles. */
async function licenses(root, inputs) {
  const folders = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter((folder) => folder !== undefined))
  const texts = await Promise.all(
    [...folders].sort().map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
      const file = (await readdir(join(root, folder))).find((each) => /^(licen[cs]e|copying)/i.test(each))
      return `${name} ${version} (${license})\n\n${file ? (await readFile(join(root, folder, file), 'utf8')).trim() : ''}`
    }),
  )
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(process.argv[2] ?? dirname(import.meta.dirname))
