/**
 * The build: esbuild's bundles of owm and its libraries, since Node takes longer to find and compile 1,500 files
 * than a small run takes. Whatever several entry points share goes into `dist/chunks`.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Native, or loaded only where a user has installed it. */
const external = ['sqlite3', 'jiti', 'typescript', 'pg', 'pg-query-stream', 'mysql2']

const commonJs = `import { createRequire as requireFrom } from 'node:module'
const require = requireFrom(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname`

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

/** Writes `dist/` of the project at `root`, type declarations excepted. */
export async function bundle(root, { outdir = join(root, 'dist'), minify = true } = {}) {
  const src = join(root, 'src')
  const commands = await readdir(join(src, 'commands'), { recursive: true })
  await rm(outdir, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      ...entries.map((entry) => join(src, `${entry}.ts`)),
      ...commands.filter((file) => file.endsWith('.ts')).map((file) => join(src, 'commands', file)),
    ],
    outdir,
    outbase: src,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: [...external, ...(await driversOfTypeorm(root))],
    // Most libraries are CommonJS, and use what an ES module hasn't.
    banner: { js: commonJs },
    legalComments: 'none', // THIRD_PARTY_LICENSES has them
    minifyWhitespace: minify,
    metafile: true,
    logLevel: 'warning',
  })
  await writeFile(join(root, 'THIRD_PARTY_LICENSES'), await licenses(root, Object.keys(metafile.inputs)))
}

/** Packages for other databases, which TypeORM would require if it were told to use them. */
async function driversOfTypeorm(root) {
  const { peerDependencies } = JSON.parse(await readFile(join(root, 'node_modules/typeorm/package.json'), 'utf8'))
  return Object.keys(peerDependencies).filter((name) => name !== 'ioredis')
}

/** The licences of all packages that are in the bundles. */
async function licenses(root, inputs) {
  const folders = new Set(
    inputs
      .map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
      .filter((folder) => folder !== undefined),
  )
  const texts = await Promise.all(
    [...folders].sort().map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
      const file = (await readdir(join(root, folder))).find((each) => /^(licen[cs]e|copying)/i.test(each))
      const text = file ? (await readFile(join(root, folder, file), 'utf8')).trim() : ''
      return `${name} ${version} (${license})\n\n${text}`
    }),
  )
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(process.argv[2] ?? dirname(import.meta.dirname))
