/** What `bin/run.js` starts: oclif, bundled with everything that a command needs. */
import { fileURLToPath } from 'node:url'
import { flush } from '@oclif/core/flush'
import { handle } from '@oclif/core/handle'
import { run } from '@oclif/core/run'
import { toError } from '../errors/index.js'
import { ofSurroundings } from '../errors/surroundings.js'
import { prepareOutput } from './output.js'
import { exitCodeOf, Report } from './report.js'

/** @param file URL of a file in the installation */
export async function execute(file: string): Promise<void> {
  const args = process.argv.slice(2)
  prepareOutput(args, process.env)
  try {
    // Without the plugins that a HOME may name: it can be somebody else's, or none.
    await run(args, { root: fileURLToPath(file), userPlugins: false, devPlugins: false })
    await flush()
  } catch (thrown) {
    const error = toError(thrown)
    if (isOclifs(error)) return handle(error)
    const known = ofSurroundings(error)
    const isJson = args.includes('--json')
    const report = new Report('warn', isJson)
    if (isJson) report.json({}, known)
    else report.errors([known])
    process.exitCode = exitCodeOf(known)
  }
}

/** Wrong flags, or the end that a help text wants: an error that oclif prints itself. */
const isOclifs = (error: Error): error is Error & { oclif: { exit?: number } } =>
  'oclif' in error && typeof error.oclif === 'object' && error.oclif !== null
