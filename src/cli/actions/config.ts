/** `owm config …`: shows and checks the configuration. */
import { relative } from 'node:path'
import type { SeenSink } from '../../config/check/connect.js'
import { mustHaveRoom } from '../../config/check/files.js'
import { checkConfig, type Finding } from '../../config/check/index.js'
import { sharedIds } from '../../config/check/streams.js'
import { configSchema } from '../../config/json-schema.js'
import type { Loaded } from '../../config/load.js'
import { type Shown, settingsIn } from '../../config/show.js'
import { originInWords } from '../../config/values/origins.js'
import {
  ConfigurationError,
  exitCodes,
  inOneText,
  isOwmError,
  type OwmError,
  TransientError,
} from '../../errors/index.js'
import { owedElsewhere } from '../../outbox/inspect/ledger/owed.js'
import { judgePage } from '../../pipeline/input/minimum.js'
import { exactJson } from '../../tasks/json/exact.js'
import type { Done, Pipelines } from '../command.js'
import { lookAtOutbox, type Surroundings, sinkOf, sourceOf } from '../compose.js'
import { harmless, plural } from '../format.js'
import { table, terminalWidth } from '../table.js'

/** What `owm config show --json` prints. */
export interface ShowResult {
  file: string | null
  pipeline: string | null
  values: Shown[]
}

export async function show(loaded: Loaded): Promise<Done<ShowResult>> {
  const { values, errors } = await settingsIn(loaded)
  const rows = values.map(({ key, value, origin }) => {
    const text = typeof value === 'string' ? value : (exactJson(value) ?? '')
    const from = origin.from === 'file' ? { ...origin, file: relative(loaded.cwd, origin.file) } : origin
    return [key, text, originInWords(from)]
  })
  return {
    result: { file: loaded.file ?? null, pipeline: loaded.pipeline ?? null, values },
    summary: await table(['KEY', 'VALUE', 'FROM'], rows, terminalWidth()),
    errors,
  }
}

/** What `owm config check --json` prints. */
export interface CheckResult {
  findings: {
    pipeline: string | null
    about: string
    ok: boolean
    message: string
    hint: string | null
    warning?: true
  }[]
}

/** Fills `result` while it works. */
export async function check(
  result: CheckResult,
  { names, configure }: Pipelines,
  connect: boolean,
  around: Surroundings,
): Promise<Done<CheckResult>> {
  const failures: OwmError[] = []
  const summary: string[] = []
  const all: Loaded[] = []
  for (const pipeline of names) {
    const parts = {
      configure: async (without: readonly string[]) => {
        const loaded = await configure(pipeline, without)
        all.push(loaded)
        return loaded
      },
      sourceOf: (loaded: Loaded) => sourceOf(loaded, around),
      sinkOf: (loaded: Loaded) => sinkOf(loaded, around),
      lookAtOutbox: async (loaded: Loaded) => {
        await lookAtOutbox(loaded, around, 'owner')
        await mustHaveRoom(loaded.settings.outbox.path)
      },
      mustBeOwed: async ({ settings }: Loaded, sink: SeenSink) => {
        const error = await owedElsewhere(settings.outbox.path, sink)
        if (error) throw error
      },
      trustFolder: around.trustFolder,
      judge: judgePage,
    }
    for (const finding of await checkConfig(parts, connect)) {
      summary.push(harmless(noteFinding(result, pipeline, finding)))
      if (isOwmError(finding.outcome)) failures.push(finding.outcome)
    }
  }
  for (const finding of await sharedIds(all)) summary.push(harmless(noteFinding(result, undefined, finding)))
  return { result, summary, errors: checksFailed(failures) }
}

/** Adds a finding to the result, and returns it in words. */
function noteFinding(
  { findings }: CheckResult,
  pipeline: string | undefined,
  { about, outcome, warning }: Finding,
): string {
  const ok = typeof outcome === 'string'
  const [message, hint] = ok ? [outcome, warning] : [outcome.message, outcome.hint]
  const isWarning = warning === undefined ? {} : { warning: true as const }
  findings.push({ pipeline: pipeline ?? null, about, ok, message, hint: hint ?? null, ...isWarning })
  const where = pipeline === undefined ? about : `${pipeline}: ${about}`
  const verdict = ok ? (warning === undefined ? 'ok   ' : 'warn ') : 'wrong'
  return `${verdict} ${where}: ${inOneText(message, hint)}`
}

function checksFailed(failures: readonly OwmError[]): OwmError[] {
  if (failures.length === 0) return []
  const message = `${plural(failures.length, 'check')} failed: see above.`
  const hint = 'Correct what is wrong, then check again.'
  const isTransient = failures.every(({ exitCode }) => exitCode === exitCodes.notDelivered)
  return [isTransient ? new TransientError(message, { hint }) : new ConfigurationError(message, { hint })]
}

/** The JSON Schema of a configuration file. */
export async function schema(): Promise<Done<object>> {
  const result = await configSchema()
  return { result, summary: JSON.stringify(result, null, 2).split('\n') }
}
