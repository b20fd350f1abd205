/**
 * `node scripts/build.mjs [ROOT]`: makes `dist/` (without type declarations) and THIRD_PARTY_LICENSES.
 *
 * esbuild bundles owm with its libraries, since Node takes longer to find and compile 1,500 files than a small run
 * takes. What several entry points share goes into `dist/chunks`. The report's page runs in a browser, and has its
 * script and its style in one file each.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const root = process.argv[2] ?? dirname(import.meta.dirname)
const src = join(root, 'src')

/** Entry points besides the commands, as paths in `src/` without their ending. */
const entries = [
  'index',
  'cli/main',
  'cli/command-not-found',
  'plugins/load',
  'plugins/resolve-owm',
  'plugins/conformance/index',
  'plugins/conformance/runner',
]
const commands = (await readdir(join(src, 'commands'), { recursive: true })).filter((file) => file.endsWith('.ts'))

/**
 * Native, or loaded only where somebody has installed it; TypeORM's peers are the drivers of other databases. The
 * authors of plugins get the zod that is installed, whole; owm has what it uses in its bundle.
 */
const typeorm = await packageOf('node_modules/typeorm')
const external = ['sqlite3', 'jiti', 'typescript', 'zod/v4', ...Object.keys(typeorm.peerDependencies)].filter(
  (name) => name !== 'ioredis',
)

/**
 * TypeORM as ES modules, and without what its own package.json tells bundlers to leave out (`browser`): the drivers of
 * databases that owm doesn't read, and reading its options and entities from files. The drivers of SQLite, PostgreSQL
 * and MySQL stay, and so does what Node's platform has.
 */
const typeormForBundlers = {
  name: 'typeorm-for-bundlers',
  setup({ onResolve }) {
    const path = (file) => join(root, 'node_modules/typeorm', file)
    const left = Object.entries(typeorm.browser).filter(([from]) => !/\/(sqlite|postgres|mysql|platform)\//.test(from))
    const instead = new Map(left.map(([from, to]) => [path(from), path(to)]))
    onResolve({ filter: /^\./ }, ({ path: file, resolveDir }) => {
      const found = instead.get(`${join(resolveDir, file)}.js`)
      return found && { path: found }
    })
  },
}

await rm(join(root, 'dist'), { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [...entries.map((entry) => `src/${entry}.ts`), ...commands.map((file) => `src/commands/${file}`)],
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  alias: { typeorm: 'typeorm/browser' },
  plugins: [typeormForBundlers],
  external,
  preserveSymlinks: true, // the same program wherever node_modules is
  // Most libraries are CommonJS, and use what an ES module hasn't.
  banner: {
    js: [
      "import { createRequire as requireFrom } from 'node:module'",
      'const require = requireFrom(import.meta.url)',
      'const __filename = import.meta.filename, __dirname = import.meta.dirname',
    ].join('\n'),
  },
  legalComments: 'none', // THIRD_PARTY_LICENSES has them
  minifyWhitespace: true,
  minifySyntax: true,
  metafile: true,
  logLevel: 'warning',
})
const page = await build({
  absWorkingDir: root,
  entryPoints: { page: 'src/report/page/main.ts', style: 'src/report/page/style.css' },
  outdir: 'dist/report',
  bundle: true,
  format: 'iife',
  platform: 'browser',
  target: 'es2023',
  tsconfigRaw: {}, // that of the page is for tsc
  preserveSymlinks: true,
  legalComments: 'none',
  minify: true,
  metafile: true,
  logLevel: 'warning',
})
const inputs = [...Object.keys(metafile.inputs), ...Object.keys(page.metafile.inputs)]
await writeFile(join(root, 'THIRD_PARTY_LICENSES'), await licenses(inputs))

/** The licences of the packages that these files are from. */
async function licenses(files) {
  const folders = files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0])
  const texts = [...new Set(folders)].filter(Boolean).map(async (folder) => {
    const { name, version, license } = await packageOf(folder)
    const file = (await readdir(join(root, folder))).find((each) => /^(licen[cs]e|copying)/i.test(each))
    const text = file ? await readFile(join(root, folder, file), 'utf8') : ''
    return `${name} ${version} (${license})\n\n${text.trim()}\n`
  })
  return (await Promise.all(texts)).sort().join(`\n${'-'.repeat(80)}\n\n`)
}

async function packageOf(folder) {
  return JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
}
