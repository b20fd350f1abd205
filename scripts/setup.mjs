/**
 * `node scripts/setup.mjs [--dependencies | --tests]`: what a fresh clone needs, with nothing there but Node and npm.
 *
 * It does only what is missing, says so on standard error, and leaves standard output alone.
 *   without a flag   the dependencies and a build
 *   --dependencies   the dependencies only
 *   --tests          also the programs that the tests start, where it may install them: as root on Debian or Ubuntu.
 *                    Elsewhere it lists the test files that won't run, and with CI=true fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesWithout, isThere, missingPrograms } from './programs.mjs'

const root = dirname(import.meta.dirname)
const [flag, ...rest] = process.argv.slice(2)
if (rest.length > 0 || ![undefined, '--dependencies', '--tests'].includes(flag))
  fail(`setup.mjs [--dependencies | --tests] is expected, not ${process.argv.slice(2).join(' ')}`)

if (!dependenciesAreThere()) installDependencies()
if (flag !== '--dependencies' && !buildIsThere()) build()
if (flag === '--tests') providePrograms()

/** Compares what npm wrote down when it installed with the lockfile: a clone's file times say nothing. */
function dependenciesAreThere() {
  const installed = join(root, 'node_modules/.package-lock.json') // written last, so never half done
  if (!existsSync(installed)) return false
  const [wanted, there] = [join(root, 'package-lock.json'), installed].map(
    (file) => JSON.parse(readFileSync(file, 'utf8')).packages,
  )
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true
    return there[path] ? there[path].version === version : optional || devOptional // for another platform
  })
}

function installDependencies() {
  say('installing the dependencies (npm ci). sqlite3 may have to be compiled: that takes about 4 minutes.')
  // To compile, node-gyp downloads Node's headers, even where they came with Node: it needs telling.
  const prefix = dirname(dirname(process.execPath))
  const hasHeaders = existsSync(join(prefix, 'include/node/node_version.h'))
  const status = run(
    'npm',
    ['ci', '--no-audit', '--no-fund'],
    hasHeaders ? { npm_package_config_node_gyp_nodedir: prefix } : {},
  )
  if (status !== 0)
    fail(
      `npm ci failed (exit code ${status}). If it was sqlite3: compiling it takes a C++ compiler, make and Python 3 ` +
        '(Debian, Ubuntu: apt-get install build-essential python3; macOS: xcode-select --install).',
    )
}

function buildIsThere() {
  const made = join(root, 'dist/index.d.ts') // the last thing that a build makes
  const sources = ['src', 'scripts/build.mjs', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
  return existsSync(made) && statSync(made).mtimeMs >= Math.max(...sources.map((path) => newest(join(root, path))))
}

/** The latest change to a file, or to anything in a folder; a folder's own time tells of deleted files. */
function newest(path) {
  const stat = statSync(path)
  const inside = stat.isDirectory() ? readdirSync(path, { recursive: true }) : []
  return Math.max(stat.mtimeMs, ...inside.map((name) => statSync(join(path, name)).mtimeMs))
}

function build() {
  say('building (npm run build).')
  if (run('npm', ['run', 'build']) === 0) return
  rmSync(join(root, 'dist'), { recursive: true, force: true }) // newer than src, it would pass for a good one
  fail('npm run build failed.')
}

function providePrograms() {
  if (missingPrograms().length > 0 && isThere('apt-get') && process.getuid?.() === 0) installPrograms()
  const missing = missingPrograms()
  if (missing.length === 0) return
  for (const { file, needs } of filesWithout(missing)) say(`not run: ${file}: there is no ${needs.join(', no ')}`)
  const packages = (system) => missing.flatMap((program) => program[system] ?? []).join(' ')
  say(`To run them: apt-get install ${packages('debian')}; macOS: brew install ${packages('brew')}`)
  if (process.env.CI) fail('where CI is set, all tests must run.')
}

function installPrograms() {
  const packages = missingPrograms().flatMap(({ debian }) => debian ?? [])
  say(`installing ${packages.join(', ')} (apt-get). No service is started: each test starts its own.`)
  const policy = '/usr/sbin/policy-rc.d' // Debian's packages start their service unless this file says no
  const isOurs = !existsSync(policy)
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const options = ['-q', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=120']
    const apt = (...args) =>
      run('apt-get', [...options, ...args], { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' })
    const install = (...names) => apt('install', '--yes', '--no-install-recommends', ...names)
    apt('update')
    // A package that this Debian or Ubuntu hasn't got shall not keep the others out.
    if (install(...packages) !== 0) for (const name of packages) install(name)
  } finally {
    if (isOurs) rmSync(policy, { force: true })
  }
}

/** Its output goes to standard error. Gives the exit code. */
function run(command, args, env = {}) {
  const shell = process.platform === 'win32'
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    shell,
    stdio: ['ignore', 2, 2],
  })
  if (error) fail(`${command} can't be started: ${error.message}`)
  return status ?? signal
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
