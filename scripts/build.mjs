/**
 * The build. Bundles, since Node takes longer to find and compile 1,500 files than a small run takes: `dist/cli.cjs` is oclif, `dist/owm.cjs` all
 * that most runs need, the others are vendors of some sources; src/load.ts runs them. Around them the small files that others import: a command a file for oclif, `index.js`, `testing.js`.
 */
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** What can't be bundled, and what is loaded only where a user has it. */
const external = ['*.node', 'jiti', 'typescript', 'tsx', 'ts-node', 'pg', 'pg-native', 'pg-query-stream', 'mysql', 'mysql2', 'redis']

/** What the start would pay for and owm doesn't need: in which file of a vendor, what, and what instead. */
const shortcuts = [
  // ioredis makes two methods of each of Redis' 400 commands; owm and ioredis itself use these.
  [/ioredis\/built\/utils\/Commander\.js$/, 'commands_1.list.filter(', "['auth', 'client', 'hmget', 'info', 'ping', 'quit', 'select'].filter("],
  // Command ids are ASCII: a collator for them takes 8 ms to load.
  [/@oclif\/core\/lib\/config\/plugin\.js$/, '.sort((a, b) => a.id.localeCompare(b.id))', '.sort((a, b) => (a.id < b.id ? -1 : 1))'],
  // Commands are found by the manifest, and plugins are named, not matched.
  [/@oclif\/core\/lib\/config\/plugin\.js$/, 'require("tinyglobby")', 'undefined'],
  [/@oclif\/core\/lib\/config\/plugin-loader\.js$/, 'require("minimatch")', '{ minimatch: (name, pattern) => name === pattern }'],
  // A plugin is found by its folder as well: Node's own resolution takes 2 ms to look at its exports.
  [/@oclif\/core\/lib\/util\/find-root\.js$/, 'pkgPath = require.resolve(name, { paths: [root] })', ''],
  // Whether it's Linux inside of Windows makes no difference to owm.
  [/@oclif\/core\/lib\/util\/os\.js$/, "(await import('wsl-utils')).isWsl ? 'wsl' : ", ''],
  // owm logs in its own thread.
  [/pino\/lib\/tools\.js$/, "require('./transport')", 'undefined'],
  [/pino\/lib\/tools\.js$/, "require('worker_threads')", '{ isMainThread: true }'],
  [/pino\/pino\.js$/, "require('./lib/transport')", 'undefined'],
  // To colour SQL in a log, and to read dates: there are neither.
  [/typeorm\/platform\/PlatformTools\.js$/, 'require("@sqltools/formatter")', 'undefined'],
  [/typeorm\/util\/DateUtils\.js$/, 'require("dayjs")', 'undefined'],
  // To find entities by a pattern of paths; owm's are given.
  [/typeorm\/util\/DirectoryExportedClassesLoader\.js$/, 'require("glob")', '{}'],
  // For flags and arguments that are read from standard input: there are none.
  [/@oclif\/core\/lib\/parser\/parse\.js$/, 'require("node:readline")', 'undefined'],
  // Its own way to look for the binary tries a dozen places.
  [/sqlite3\/lib\/sqlite3-binding\.js$/, "require('bindings')('node_sqlite3.node')", "require('sqlite3/build/Release/node_sqlite3.node')"],
]

/** TypeScript's requires, each done when what it brings is first used: a quarter of TypeORM ever is. The parentheses are for `new`. */
function lazily(text) {
  for (const [statement, name, required] of text.matchAll(/^const (\w+_\d+) = (\S*require\("[^"]+"\)\)?);$/gm)) {
    if (name === 'tslib_1') continue
    const [before, after] = text.split(statement)
    const uses = (part) => part.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), `(${name}())`)
    text = `${uses(before)}let ${name}_; const ${name} = () => ${name}_ ??= ${required};${uses(after)}`
  }
  return text
}

/** Takes the shortcuts, and leaves out TypeORM's drivers and zod's languages that owm hasn't. `taken` collects the shortcuts. */
const lean = (taken, drivers) => ({
  name: 'lean',
  setup({ onLoad }) {
    onLoad({ filter: /\/zod\/v4\/locales\// }, ({ path }) =>
      /(en|index)\.js$/.test(path) ? undefined : { contents: 'export default () => ({})', loader: 'js' },
    )
    onLoad({ filter: /\/node_modules\/(typeorm|ioredis|@oclif\/core|cockatiel|cosmiconfig|pino|sqlite3)\/.*\.js$/ }, async ({ path }) => {
      const [, driver] = /\/typeorm\/driver\/([a-z-]+)\//.exec(path) ?? []
      if (driver && !drivers.includes(driver)) return { contents: `exports.${basename(path, '.js')} = class {}`, loader: 'js' }
      let contents = await readFile(path, 'utf8')
      for (const [, from, to] of shortcuts.filter(([file]) => file.test(path))) {
        taken.add(from)
        const parts = contents.split(from)
        if (parts.length !== 2) throw new Error(`${path} has "${from}" ${parts.length - 1} times`)
        contents = parts.join(to)
      }
      return { contents: lazily(contents), loader: 'js' }
    })
  },
})

/** Vendors of some sources only: each a bundle of its own, that is loaded where it's needed. */
const vendors = { undici: 'undici', yaml: 'yaml', csv: 'csv-parse/sync', json: '@streamparser/json', typeorm: 'typeorm' }

/** What is in another bundle. The outbox' TypeORM has SQLite alone; the one with all drivers is for the source `sql`. */
const apart = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: /^@oclif\/core\// }, () => ({ path: './cli.cjs', external: true }))
    for (const [name, vendor] of Object.entries(vendors))
      onResolve({ filter: new RegExp(`^${vendor}$`) }, ({ importer }) =>
        /\/src\//.test(importer) && (name !== 'typeorm' || importer.endsWith('sql.ts')) ? { path: `./${name}.cjs`, external: true } : undefined,
      )
  },
}

/** Writes `dist/` of the project at `root`, the type declarations left out; `readable`: with comments that say which module begins where. */
export async function bundle(root, { dist = join(root, 'dist'), readable = false } = {}) {
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
    minifyWhitespace: !readable, // a third less to read at each start
    lineLimit: 160, // a stack trace still says where
    logLevel: 'warning',
    metafile: true,
    write: false,
  }
  const entry = (name, contents, plugins) =>
    build({ ...common, outfile: join(dist, `${name}.cjs`), stdin: { contents, resolveDir: root, sourcefile: `${name}.js` }, plugins })
  const taken = new Set()
  const bundles = await Promise.all([
    entry('cli', "export * from '@oclif/core/execute'; export * from '@oclif/core/command'; export * from '@oclif/core/flags'", [lean(taken, [])]),
    ...Object.entries(vendors).map(([name, vendor]) =>
      entry(name, `module.exports = require('${vendor}')`, [lean(new Set(), ['sqlite', 'sqlite-abstract', 'types', 'postgres', 'mysql'])]),
    ),
    entry('owm', modules.map((name) => `exports['${name}'] = () => require('./src/${name}.ts')`).join('\n'), [
      lean(taken, ['sqlite', 'sqlite-abstract', 'types']),
      apart,
    ]),
  ])
  for (const { outputFiles } of bundles) for (const { path, text } of outputFiles) await write(path, text.replaceAll(/(?<![.\w])import\((?!\))/g, '__import('))
  for (const [, from] of shortcuts) if (!taken.has(from)) throw new Error(`no vendor's file with "${from}" was found`)
  const texts = bundles.flatMap(({ outputFiles }) => outputFiles.map(({ text }) => text))
  // Node itself loads these two.
  const options = { outdir: dist, target: 'node20.19', platform: 'node' }
  await build({ ...options, entryPoints: [join(root, 'src', 'resolve-owm.ts')], format: 'esm' })
  await build({
    ...options,
    entryPoints: [join(root, 'src', 'load.ts')],
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    define: { build: JSON.stringify(hash('sha1', texts.join('')).slice(0, 12)), 'import.meta.dirname': '__dirname' },
  })

  const { load } = await import(pathToFileURL(join(dist, 'load.cjs')).href)
  for (const name of modules) {
    const from = `./${'../'.repeat(name.split('/').length - 1)}load.cjs`
    if (/^(commands|hooks)\//.test(name)) {
      await write(join(dist, `${name}.cjs`), `exports.default = require('${from}').load('owm')['${name}']().default\n`)
      continue
    }
    const { default: main, ...named } = load('owm')[name]()
    const lines = [
      `import { load } from '${from}'`,
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
