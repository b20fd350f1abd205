/**
 * `npm run image -- [--base IMAGE] [--tag NAME:TAG]`: owm as a container image, by deploy/container/Dockerfile, out of
 * this clone's build. Nothing is downloaded but what the base image lacks. sqlite3's binary is the clone's: build on
 * the kind of Linux that the base is.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

const root = dirname(import.meta.dirname)
const { version, files } = packageIn(root)
const flags = flagsGiven()

/** What the bundles in dist/ load from outside, the drivers of databases too; the rest of the packages is in them. */
const loaded = ['sqlite3', 'jiti', 'zod', 'pg', 'mysql2']
/** What these need only when they are installed. */
const installing = ['node-addon-api', 'prebuild-install', 'tar']
/** What of them is for compilers and people. */
const unused =
  /\/(sqlite3\/(deps|src)|sqlite3\/build\/(?!Release$|Release\/node_sqlite3\.node)|zod\/src|.*\.(md|map|[cm]?ts))/

const work = mkdtempSync(join(tmpdir(), 'owm-image-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const owm = join(work, 'root', 'opt', 'owm')
for (const name of ['package.json', 'LICENSE', ...files]) cpSync(join(root, name), join(owm, name), { recursive: true })
for (const name of withTheirs(loaded)) copyPackage(name, join(owm, 'node_modules', name))
mkdirSync(join(work, 'root', 'usr', 'local', 'bin'), { recursive: true })
symlinkSync('/opt/owm/bin/run.js', join(work, 'root', 'usr', 'local', 'bin', 'owm'))
mkdirSync(join(work, 'state'))
const base = flags.base === undefined ? [] : ['--build-arg', `BASE=${flags.base}`]
const dockerfile = join(root, 'deploy', 'container', 'Dockerfile')
docker('build', '--quiet', ...base, '--tag', flags.tag, '--file', dockerfile, work)
const bytes = Number(docker('image', 'inspect', '--format', '{{.Size}}', flags.tag))
console.log(`${flags.tag}: ${(bytes / 1e6).toFixed(0)} MB`)

function flagsGiven() {
  try {
    return parseArgs({ options: { base: { type: 'string' }, tag: { type: 'string', default: `owm:${version}` } } })
      .values
  } catch ({ message }) {
    return fail(`${message}\nimage.mjs [--base IMAGE] [--tag NAME:TAG] is expected.`)
  }
}

/** These packages and all that they need, which npm has put beside them. */
function withTheirs(names) {
  const found = new Set()
  const add = (name) => {
    if (found.has(name) || installing.includes(name) || !existsSync(folderOf(name))) return
    found.add(name)
    const { dependencies = {} } = packageIn(folderOf(name))
    for (const each of Object.keys(dependencies)) add(each)
  }
  for (const name of names) add(name)
  return [...found]
}

function copyPackage(name, to) {
  cpSync(folderOf(name), to, {
    recursive: true,
    dereference: true,
    filter: (path) => !unused.test(`/${name}${path.slice(folderOf(name).length)}`),
  })
}

function folderOf(name) {
  return join(root, 'node_modules', name)
}

function packageIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function docker(...args) {
  const { status, stdout, error } = spawnSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] })
  if (status !== 0) fail(`docker ${args[0]} failed: ${error?.message ?? `exit code ${status}, see above`}.`)
  return stdout.trim()
}

function fail(text) {
  process.stderr.write(`image: ${text}\n`)
  process.exit(1)
}
