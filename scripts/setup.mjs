/**
 * What `npm test` and `npm run demo` need on a fresh clone, with nothing but Node and npm there:
 * dependencies, a build and, with --tests, a redis-server, PostgreSQL, MariaDB and (on Linux) strace. Does only what is missing, says on stderr
 * what it does, and leaves stdout alone. No dependencies of its own: it installs them.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const HEARTBEAT_MS = 15_000

/** What the tests start besides Node: `name` is the Debian package, and the program where that isn't given. `folders`: besides PATH. */
const PROGRAMS = [
  {
    name: 'redis-server',
    why: 'the tests stop, kill and restart a real redis-server',
    isNeeded: true,
    help: [
      '  Debian, Ubuntu  sudo apt-get install redis-server',
      '  Fedora          sudo dnf install redis',
      '  Alpine          sudo apk add redis',
      '  Arch            sudo pacman -S redis',
      '  macOS           brew install redis',
      '  Windows         run the tests in WSL',
    ],
  },
  {
    name: 'postgresql',
    program: 'postgres',
    folders: () =>
      existsSync('/usr/lib/postgresql')
        ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
        : [],
    why: 'the tests read from a real PostgreSQL, and kill it',
    isNeeded: true,
    help: [
      '  Debian, Ubuntu  sudo apt-get install postgresql',
      '  Fedora          sudo dnf install postgresql-server',
      '  Alpine          sudo apk add postgresql openssl',
      '  Arch            sudo pacman -S postgresql',
      '  macOS           brew install postgresql',
    ],
  },
  {
    name: 'mariadb-server',
    program: 'mariadbd',
    folders: () => ['/usr/sbin'],
    why: 'the tests read from a real MariaDB, and kill it',
    isNeeded: true,
    help: [
      '  Debian, Ubuntu  sudo apt-get install mariadb-server',
      '  Fedora          sudo dnf install mariadb-server',
      '  Alpine          sudo apk add mariadb',
      '  Arch            sudo pacman -S mariadb',
      '  macOS           brew install mariadb',
    ],
  },
  {
    name: 'strace',
    why: 'the tests watch what is synced to the disk, and when',
    isNeeded: process.platform === 'linux', // there is none elsewhere, and no test that needs it
    help: [
      '  Debian, Ubuntu  sudo apt-get install strace',
      '  Fedora          sudo dnf install strace',
      '  Alpine          sudo apk add strace',
      '  Arch            sudo pacman -S strace',
    ],
  },
]

/** A sentence for the user, and exit code 1. */
class SetupError extends Error {}

try {
  const unknown = process.argv.slice(2).filter((argument) => argument !== '--tests')
  if (unknown.length > 0) throw new SetupError(`unknown argument ${unknown.join(' ')}: setup.mjs [--tests]`)
  if (!dependenciesAreThere()) await installDependencies()
  if (!buildIsThere()) await build()
  if (process.argv.includes('--tests')) await installPrograms()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  say(error.message)
  process.exitCode = 1
}

/** Compares what npm wrote down when it installed with the lockfile: a clone's file times say nothing. */
function dependenciesAreThere() {
  const wanted = packagesIn('package-lock.json')
  const installed = packagesIn('node_modules/.package-lock.json') // written last, so never half done
  if (!wanted || !installed) return false
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    if (path === '') return true
    const there = installed[path]
    if (!there) return optional || devOptional // for another platform
    return there.version === version && there.integrity === integrity
  })
}

function packagesIn(lockfile) {
  const file = join(ROOT, lockfile)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined
}

async function installDependencies() {
  say('installing the dependencies (npm ci). Where no prebuilt sqlite3 can be had, npm compiles it:')
  say('about 4 minutes without output of its own.')
  const started = Date.now()
  const status = await npm(['ci', '--no-audit', '--no-fund'], { heartbeat: 'npm ci', env: nodeHeaders() })
  if (status !== 0) {
    throw new SetupError(
      `npm ci failed (exit code ${status}). If it was sqlite3: compiling it takes a C++ compiler, make and ` +
        'Python 3 (Debian, Ubuntu: apt-get install build-essential python3; macOS: xcode-select --install).',
    )
  }
  say(`dependencies installed in ${seconds(started)} s.`)
}

/** To compile, node-gyp downloads Node's headers, even where they came with Node: it needs telling. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath))
  const file = join(prefix, 'include', 'node', 'node_version.h')
  if (!existsSync(file)) return {}
  const text = readFileSync(file, 'utf8')
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`#define NODE_${part}_VERSION (\\d+)`)?.[1])
  return version.join('.') === process.versions.node ? { npm_package_config_node_gyp_nodedir: prefix } : {}
}

function buildIsThere() {
  const inputs = ['src', 'scripts/build.mjs', 'tsconfig.json', 'tsconfig.build.json'].map((path) => join(ROOT, path))
  // Not of the folder: owm keeps compiled code in it.
  return (
    newest([join(ROOT, 'dist', 'index.js'), join(ROOT, 'dist', 'index.d.ts')]) >= newest(inputs) &&
    existsSync(join(ROOT, 'dist', 'index.d.ts'))
  )
}

/** The latest change to any of these files and folders, or 0; a folder's own time tells of deleted files. */
function newest(paths) {
  return paths
    .filter((path) => existsSync(path))
    .map((path) => {
      const stat = statSync(path)
      if (!stat.isDirectory()) return stat.mtimeMs
      return Math.max(stat.mtimeMs, newest(readdirSync(path).map((name) => join(path, name))))
    })
    .reduce((a, b) => Math.max(a, b), 0)
}

async function build() {
  say('building (npm run build).')
  if ((await npm(['run', 'build'])) === 0) return
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true }) // newer than src, it would pass for a good one
  throw new SetupError('npm run build failed.')
}

async function installPrograms() {
  const missing = PROGRAMS.filter((program) => program.isNeeded && !isThere(program))
  if (missing.length === 0) return
  if (!onPath('apt-get') || process.getuid?.() !== 0) {
    throw new SetupError(
      missing.flatMap(({ name, why, help }) => [`${why}, and ${name} isn't there. Install it:`, ...help]).join('\n'),
    )
  }
  const names = missing.map(({ name }) => name)
  say(`installing ${names.join(', ')} (apt-get). No service is started: each test starts its own.`)
  const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' }
  const options = ['-q', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=120']
  const allow = forbidServices()
  try {
    const heartbeat = 'apt-get'
    for (const command of [['update'], ['install', '--yes', '--no-install-recommends', ...names]]) {
      const status = await run('apt-get', [...options, ...command], { heartbeat, env })
      if (status !== 0) throw new SetupError(`apt-get ${command.join(' ')} failed (exit code ${status}).`)
    }
  } finally {
    allow()
  }
  for (const program of missing)
    if (!isThere(program)) throw new SetupError(`${program.name} is installed, but its program can't be found.`)
}

/** Debian's packages start their service unless this file says no. Returns the way back. */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return () => {} // somebody else's policy
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return () => rmSync(policy, { force: true })
}

function isThere({ name, program = name, folders = () => [] }) {
  return onPath(program, folders())
}

function onPath(program, folders = []) {
  return [...folders, ...(process.env.PATH ?? '').split(delimiter)].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function npm(args, options) {
  const { npm_execpath } = process.env // the npm that runs this, if one does
  if (npm_execpath?.endsWith('npm-cli.js')) return run(process.execPath, [npm_execpath, ...args], options)
  return run('npm', args, { ...options, shell: process.platform === 'win32' })
}

/** Its output goes to stderr. Resolves to the exit code. */
function run(command, args, { heartbeat, env = {}, shell = false } = {}) {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const timer = heartbeat && setInterval(() => say(`${heartbeat}: ${seconds(started)} s`), HEARTBEAT_MS)
    const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, shell, stdio: ['ignore', 2, 2] })
    child.once('error', (cause) => {
      clearInterval(timer)
      reject(new SetupError(`${command} can't be started: ${cause.message}`))
    })
    child.once('exit', (code, signal) => {
      clearInterval(timer)
      resolve(code ?? signal)
    })
  })
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1000)
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}
