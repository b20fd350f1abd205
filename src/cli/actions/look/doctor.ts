/** `owm doctor`: what is wrong, why it matters and what to do. */
import type { Loaded } from '../../../config/load.js'
import { type Examined, examine, type Finding, outboxesLeft, sharedStreams } from '../../../doctor/examine.js'
import { ConfigurationError, exitCodes, OutboxError, type OwmError, TransientError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { Done, Pipelines } from '../../command.js'
import { type Surroundings, sinkOf, sourceOf } from '../../compose.js'
import { count, inPipeline, plural } from '../../format.js'
import { ownerOf } from '../../owner.js'
import { terminalWidth, wrapped } from '../../table.js'

/** What `owm doctor --json` prints. */
export interface DoctorResult {
  checks: {
    pipeline: string | null
    code: string
    /** `unknown`: it couldn't be checked, which doesn't count as wrong. */
    verdict: Finding['verdict']
    /** What the check is about. */
    about: string
    found: string
    /** Why it matters and what to do; null unless something is wrong. */
    why: string | null
    todo: string | null
    /** The exit code for it: 0 for a note, null if nothing is wrong. */
    exitCode: number | null
  }[]
  wrong: number
  unknown: number
}

type Line = DoctorResult['checks'][number]

export const nothingExamined = (): DoctorResult => ({ checks: [], wrong: 0, unknown: 0 })

/** Fills `result` as it goes. */
export async function doctor(
  result: DoctorResult,
  { quiet }: { quiet: boolean },
  { names, configure }: Pipelines,
  around: Surroundings,
): Promise<Done<DoctorResult>> {
  const all: Loaded[] = []
  for (const pipeline of names) {
    const examined: Examined = await examine({
      configure: (without) => configure(pipeline, without),
      sourceOf: (loaded) => sourceOf(loaded, around),
      sinkOf: (loaded) => sinkOf(loaded, around, true),
      ownerOf: (loaded) => ownerOf(loaded, around.env),
      trustFolder: around.trustFolder,
      env: around.env,
      now: around.now,
      pipelines: names.length,
    })
    if (examined.loaded) all.push(examined.loaded)
    result.checks.push(...examined.findings.map((finding) => lineFor(pipeline, finding)))
  }
  const overarching = [...(await sharedStreams(all)), ...(await outboxesLeft(all))]
  result.checks.push(...overarching.map((finding) => lineFor(undefined, finding)))
  const wrong = result.checks.filter(({ verdict }) => verdict === 'wrong')
  result.wrong = wrong.length
  result.unknown = result.checks.filter(({ verdict }) => verdict === 'unknown').length
  const shown = (quiet ? wrong : result.checks).toSorted((a, b) => rankOf(a) - rankOf(b))
  const summary = [...shown.flatMap(lineInWords), ...(quiet ? [] : [totalInWords(result)])]
  return { result, summary, errors: errorsOf(wrong), matters: wrong.length > 0 }
}

function lineFor(pipeline: string | undefined, { code, verdict, found, check, ...own }: Finding): Line {
  const { about, why, exitCode } = check
  const todo = own.todo ?? check.todo
  const consequences = verdict === 'wrong' ? { why, todo, exitCode } : { why: null, todo: null, exitCode: null }
  return { pipeline: pipeline ?? null, code, verdict, about, found, ...consequences }
}

/** A finding that doesn't affect the exit code is a note. */
const labelOf = ({ verdict, exitCode }: Line): string =>
  verdict === 'wrong' && exitCode === exitCodes.ok ? 'note' : verdict

/** The worst comes last, next to the prompt. */
const order = ['fine', 'unknown', 'note', '75', '74', '78']
/** Consequences of another finding come before it. */
const followsFrom = /^(outbox-(pending|runs|circuit)|schedule-\w+)$/
const rankOf = (line: Line): number =>
  2 * order.indexOf(labelOf(line) === 'wrong' ? String(line.exitCode) : labelOf(line)) +
  (followsFrom.test(line.code) ? 0 : 1)

function lineInWords(line: Line): string[] {
  const { pipeline, code, found, why, todo } = line
  const width = terminalWidth()
  return [
    ...wrapped(`${labelOf(line).padEnd(7)} ${inPipeline(pipeline, code)}: ${found}`, width),
    ...(why === null || todo === null ? [] : [why, todo]).flatMap((text, index) =>
      wrapped(`${index === 0 ? 'why' : 'do'}: ${text}`, width - 8).map((part) => `        ${part}`),
    ),
  ]
}

const totalInWords = ({ checks, wrong, unknown }: DoctorResult): string =>
  compact(
    `${plural(checks.length, 'check')}: ${wrong === 0 ? 'nothing is wrong' : `${count(wrong)} found something`}`,
    unknown > 0 && `${count(unknown)} couldn't be made`,
  ).join(', ')

/** The worst finding, which decides the exit code, as an error; none if there are only notes. */
function errorsOf(wrong: readonly Line[]): OwmError[] {
  const worst = wrong.toSorted((a, b) => rankOf(a) - rankOf(b)).at(-1)
  if (!worst?.exitCode) return []
  const message = `${plural(wrong.length, 'check')} found something; the worst is ${worst.code}.`
  const options = { hint: 'docs/troubleshooting.md explains each code.' }
  if (worst.exitCode === exitCodes.configuration) return [new ConfigurationError(message, options)]
  return [
    worst.exitCode === exitCodes.outbox ? new OutboxError(message, options) : new TransientError(message, options),
  ]
}
