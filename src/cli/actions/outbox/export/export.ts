/** `owm outbox export`: writes what the outbox holds, for a spreadsheet or a program. */
import type { Loaded } from '../../../../config/load.js'
import { codeOf, UsageError } from '../../../../errors/index.js'
import { compact, sumOf } from '../../../../lists.js'
import type { TaskState } from '../../../../outbox/inspect/tasks/listed.js'
import { type Stored, storedIn } from '../../../../outbox/inspect/tasks/stored.js'
import { read } from '../../../../outbox/inspect/view.js'
import type { Done } from '../../../command.js'
import type { Surroundings } from '../../../compose.js'
import { slotNamed } from '../../../flags.js'
import { count, plural } from '../../../format.js'
import { secrets } from '../../../output.js'
import { noSuchRun } from '../../look/runs/one-run.js'
import { type Format, formatNamed, type formats } from './formats.js'
import { type Output, outputTo } from './output.js'

/** What `owm outbox export --json` prints. */
export interface ExportResult {
  outbox: string | null
  out: string | null
  format: (typeof formats)[number] | null
  /** Records written, by state. */
  exported: Record<Stored['state'], number>
}

interface ExportFlags {
  format: (typeof formats)[number]
  state?: TaskState[] | undefined
  run?: string | undefined
  slot?: string | undefined
  out: string
  force: boolean
}

export const states = ['delivered', 'pending', 'dead', 'rejected'] as const satisfies readonly TaskState[]

const none = (): ExportResult['exported'] => ({ delivered: 0, pending: 0, dead: 0, rejected: 0, duplicate: 0 })

export const nothingExported = (): ExportResult => ({ outbox: null, out: null, format: null, exported: none() })

/** Fills `result` while it works. */
export async function exportOutbox(
  result: ExportResult,
  { format, out, force, ...flags }: ExportFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ExportResult>> {
  const slot = flags.slot ? slotNamed('--slot', flags.slot) : undefined
  const filter = { run: flags.run || undefined, slot }
  const { path } = (await configure()).settings.outbox
  Object.assign(result, { outbox: path, out: out === '-' ? null : out, format })
  const output = await outputTo(out, path, force)
  const wanted = states.filter((state) => flags.state === undefined || flags.state.includes(state))
  try {
    const exists = await read(path, async (view) => {
      const records = await storedIn(view, wanted, filter)
      if (!records) throw nothingMatches(flags)
      await output.begin()
      result.exported = none()
      await writeAll(records, { result, output, format: formatNamed(format), signal: around.signal })
      return true
    })
    if (!exists)
      throw new UsageError(`There is nothing in the outbox ${path} yet.`, { hint: '`owm produce` makes it.' })
    await output.finish()
  } catch (error) {
    await output.abandon()
    // The reader of the pipe has seen enough: that is no failure.
    if (codeOf(error) !== 'EPIPE') throw error
  }
  return { result, summary: [exportInWords(result)] }
}

/** Characters written at once. */
const chunk = 65_536

async function writeAll(
  records: AsyncIterable<Stored>,
  { result, output, format, signal }: { result: ExportResult; output: Output; format: Format; signal: AbortSignal },
): Promise<void> {
  let text = format.head
  for await (const record of records) {
    result.exported[record.state]++
    text += format.lineOf({ ...record, reason: record.reason === null ? null : secrets.redact(record.reason) })
    if (text.length < chunk) continue
    signal.throwIfAborted()
    await output.write(text)
    text = ''
  }
  if (text !== '') await output.write(text)
}

const nothingMatches = ({ run, slot }: Pick<ExportFlags, 'run' | 'slot'>): UsageError =>
  run
    ? noSuchRun(run)
    : new UsageError(`No run serves the slot ${slot}.`, { hint: '`owm runs` shows the runs and their slots.' })

function exportInWords({ exported, out }: ExportResult): string {
  const { delivered, pending, dead, rejected, duplicate } = exported
  const parts = { delivered, pending, dead, rejected, duplicates: duplicate }
  const byState = compact(...Object.entries(parts).map(([name, records]) => records > 0 && `${count(records)} ${name}`))
  const all = sumOf(Object.values(exported), (records) => records)
  const kinds = byState.length === 0 ? '' : ` (${byState.join(', ')})`
  return `${plural(all, 'record')} exported${kinds}${out === null ? '' : ` to ${out}`}`
}
