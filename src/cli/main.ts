/** What `bin/run.js` starts: oclif, bundled with everything that a command needs. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Command } from '@oclif/core/command'
import { handle } from '@oclif/core/handle'
import type * as Interfaces from '@oclif/core/interfaces'
import { run } from '@oclif/core/run'
import { exitCodes, toError, UsageError } from '../errors/index.js'
import { whatIsLoaded } from '../errors/loading.js'
import { ofSurroundings } from '../errors/surroundings.js'
import { lossOfOutput, prepareOutput } from './output.js'
import { exitCodeOf, inWords, Report, wantsJson } from './report.js'

/** @param bin URL of `bin/run.js` */
export async function execute(bin: string): Promise<void> {
  const args = inFlags(process.argv.slice(2))
  prepareOutput(args, process.env)
  // For faults outside a command, which has a listener of its own. Unhandled rejections arrive here, too.
  process.on('uncaughtException', (thrown) => {
    reportError(toError(thrown), args)
    process.exit()
  })
  process.on('exit', keepKnownExitCode)
  // The event loop is empty although `run` hasn't settled.
  process.on('beforeExit', () => {
    if (!isOver) process.emit('uncaughtException', new Error(ranDry()))
  })
  try {
    mustBeUtf8(args)
    const plugin = rootPlugin(bin)
    const { root, pjson, name } = plugin
    // Ignore oclif plugins from HOME, which may belong to another user or not exist.
    const options = { root, pjson, userPlugins: false, devPlugins: false, plugins: new Map([[name, plugin]]) }
    await run(args, options)
    if (args.length === 0) await run(['next'], options)
    isOver = true
    // Waits for a slow reader. oclif's own flush would wait for ever for one that has gone.
    await lossOfOutput()
  } catch (thrown) {
    const error = toError(thrown)
    isOver = true
    if (isHelpExit(error)) return handle(error)
    reportError(inWords(error, '', []), args)
  }
}

/**
 * owm as oclif's root plugin, built from its sorted manifest. oclif would sort the commands with `localeCompare`, and
 * the first use of a locale costs 10 ms at each start.
 */
function rootPlugin(bin: string): Interfaces.Plugin {
  const require = createRequire(bin)
  const root = dirname(dirname(fileURLToPath(bin)))
  // The program is owm, whatever the package is called.
  const pjson: Interfaces.PJSON = { ...require('../package.json'), name: 'owm' }
  const manifest: Interfaces.Manifest = require('../oclif.manifest.json')
  const load = async (id: string): Promise<Command.Class> => {
    const path = join(root, ...(manifest.commands[id]?.relativePath ?? []))
    const { default: command }: { default: Command.Class } = await import(pathToFileURL(path).href)
    return Object.assign(command, { id, plugin })
  }
  const { topics = {}, hooks = {} } = pjson.oclif
  const plugin: Interfaces.Plugin = {
    _base: '',
    options: { root },
    root,
    pjson,
    name: 'owm',
    alias: 'owm',
    version: pjson.version,
    type: 'core',
    moduleType: 'module',
    isRoot: true,
    valid: true,
    hasManifest: true,
    commandsDir: undefined,
    commands: Object.entries(manifest.commands).map(([id, command]) => ({ ...command, load: () => load(id) })),
    commandIDs: Object.keys(manifest.commands),
    topics: Object.entries(topics).map(([name, topic]) => ({ ...topic, name })),
    hooks: Object.fromEntries(
      Object.entries(hooks).map(([event, target]) => [event, [{ target: String(target), identifier: 'default' }]]),
    ),
    findCommand: load,
    load: async () => {},
  }
  return plugin
}

/** Turns `owm help produce` into `owm produce --help`, `owm version` into `owm --version`. */
function inFlags([first, ...rest]: readonly string[]): string[] {
  if (first === 'help') return [...rest, '--help']
  if (first === 'version' && rest.length === 0) return ['--version']
  return first === undefined ? [] : [first, ...rest]
}

/** Node replaces invalid bytes by U+FFFD, so the argument can name no file, and two names may have become one. */
function mustBeUtf8(args: readonly string[]): void {
  const wrong = args.find((arg) => arg.includes('\ufffd'))
  if (wrong === undefined) return
  const hint = 'Write it in UTF-8: owm reads its arguments so, whatever the locale.'
  throw new UsageError(`The argument ${wrong} isn't valid UTF-8.`, { hint })
}

function reportError(error: Error, args: readonly string[]): void {
  const known = ofSurroundings(error)
  const isJson = wantsJson(args)
  const report = new Report({ level: 'warn', isJson })
  if (isJson) report.json({}, known)
  else report.errors([known])
  process.exitCode = exitCodeOf(known)
}

/** How oclif exits after printing help. */
const isHelpExit = (error: Error): error is Error & { code: 'EEXIT' } => 'code' in error && error.code === 'EEXIT'

/** Whether the command has ended and reported its outcome. */
let isOver = false

const aPlugin = 'something that owm loaded, such as a plugin or a configuration in JavaScript,'

const ranDry = (): string =>
  `It waits for something that never happens: ${whatIsLoaded() ?? aPlugin} awaits a promise that nothing can settle ` +
  'any more.'

const endedEarly = (): string => `It was cut short: ${whatIsLoaded() ?? aPlugin} ended the process before owm was done.`

/** Maps any undocumented exit code to 70, and so a 0 with which a plugin ended the process early. */
function keepKnownExitCode(code: number): void {
  const known: readonly number[] = Object.values(exitCodes)
  if (code === exitCodes.ok && !isOver) process.emit('uncaughtException', new Error(endedEarly()))
  if (known.includes(code)) return
  const whose = whatIsLoaded() ?? 'owm or a plugin'
  process.stderr.write(`owm: It ended with the exit code ${code}, which is none of owm's: a fault of ${whose}.\n`)
  process.exitCode = exitCodes.internal
}
