import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Done, OwmCommand } from '../cli/command.js'
import { ConfigurationError, codeOf, toError } from '../errors/index.js'

/** What `owm init --json` prints. */
export interface InitResult {
  path: string
  /** The JSON Schema that the starter refers to. */
  schema: string
}

const starter = `# yaml-language-server: $schema=./owm.schema.json
# owm: where the locations come from and where the tasks go.
# The README explains every key; \`owm config check\` looks whether all is right, \`owm produce --dry-run\` shows what would be sent.

source:
  use: static-list            # a built-in's name, a package, or a path to a module
  locations:                  # or \`file: ./locations.csv\` (CSV, JSON or NDJSON) instead of this list
    - {city: Nairobi, state: Nairobi County, latitude: -1.28333, longitude: 36.81667}
    - {city: Reykjavík, state: Capital Region, latitude: 64.13548, longitude: -21.89541}

sink:
  use: redis-stream
  url: redis://127.0.0.1:6379 # rediss://user:\${REDIS_PASSWORD}@host for TLS and a password from the environment
  stream: owm-ingestion-stream
  maxLength: 100000           # entries; trimmed approximately
  onFull: trim                # or hold: never push out what a consumer group hasn't read
# To try it without Redis:
# sink:
#   use: jsonl
#   path: ./tasks.jsonl       # or - for standard output

outbox:
  path: ./owm-outbox.db       # on a local disk that survives a restart

# These are the defaults:
# flush:
#   batchSize: 500            # tasks that are handed over in one atomic batch
# retry:
#   attempts: 8
#   initialDelayMs: 1000
#   maxDelayMs: 10000
# breaker:
#   failures: 5
#   resetAfterMs: 30000
`

export default class Init extends OwmCommand<InitResult> {
  static override summary = 'Write a commented starter .owmrc.yaml into this folder.'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  protected result: InitResult = { path: resolve('.owmrc.yaml'), schema: resolve('owm.schema.json') }

  protected async work(): Promise<Done<InitResult>> {
    const { flags } = await this.parse(Init)
    this.takeFlags(flags)
    const { path, schema } = this.result
    const { configSchema } = await import('../config/json-schema.js')
    await writeFile(path, starter, { flag: 'wx' }).catch((thrown: unknown) => {
      const error = toError(thrown)
      throw codeOf(error) === 'EEXIST'
        ? new ConfigurationError(`${path} exists already: it isn't overwritten.`, {
            hint: 'Edit it, or move it away first.',
            cause: error,
          })
        : new ConfigurationError(`${path} can't be written: ${error.message}`, {
            hint: 'Start owm init in a folder that you may write to.',
            cause: error,
          })
    })
    // An older one is overwritten: nobody edits it.
    await writeFile(schema, `${JSON.stringify(await configSchema(), null, 2)}\n`)
    return {
      result: this.result,
      summary: [
        `Wrote ${path}, and ${schema}, with which editors complete it. Edit the first, then look at \`owm produce --dry-run\`.`,
      ],
    }
  }
}
