/** What `bin/run.js` starts: oclif, bundled with everything that a command needs. */
import { execute as run } from '@oclif/core/execute'
import { prepareOutput } from './output.js'

export async function execute(options: { dir: string }): Promise<void> {
  prepareOutput(process.argv.slice(2), process.env)
  await run(options)
}
