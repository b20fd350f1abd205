/** The text of a new configuration: the commented starter, with the answers put in. Pure. */
import { count } from '../../format.js'

/** A section: its keys in order, with text, a list, or one level of text below. */
export type Section = Readonly<Record<string, string | readonly string[] | Readonly<Record<string, string>>>>

/** The parts to put in; an undefined one leaves the starter's own. */
interface Parts {
  readonly outbox: string
  readonly source?: Section | undefined
  readonly sink?: Section | undefined
  /** A cron expression; null for none. */
  readonly cron?: string | null | undefined
  readonly catchUp?: string | undefined
  readonly ping?: string | undefined
  /** Tasks that the list brings in one slot. */
  readonly tasks?: number | undefined
  /** Keeps the task ids distinct from those of another outbox that delivers to the same sink. */
  readonly namespace?: string | undefined
}

/** How many slots the stream and the history hold at least. */
const slotsHeld = 4

/** The default of sink.maxLength and outbox.keepTasks. */
const usualBound = 100_000

/** A bound for stream and history, in tasks, rounded up to two digits; undefined if the default suffices. */
export function boundFor(tasks: number): number | undefined {
  const least = slotsHeld * tasks
  if (least <= usualBound) return undefined
  const step = 10 ** (Math.floor(Math.log10(least)) - 1)
  return Math.ceil(least / step) * step
}

const comments: Readonly<Record<string, string>> = {
  use: "a built-in's name, a package, or a path to a module",
  file: 'docs/sources.md says what it may look like; `fields:` maps columns',
  query: 'add WHERE … to leave places out',
  path: 'a task a line; - is standard output',
}

export function starterWith(starter: string, parts: Parts): string {
  const { outbox, source, sink, cron, catchUp, ping, tasks = 0, namespace } = parts
  const bound = boundFor(tasks)
  const slots = `${slotsHeld} slots of the list, which brings ${count(tasks)} tasks`
  const changes: [RegExp, string | undefined][] = [
    [/^ {2}path: __OUTBOX__\n/m, `  path: ${scalar(outbox)}\n${bound ? keptTasks(bound, slots) : ''}`],
    [/^ {2}maxLength: .*\n/m, bound === undefined ? undefined : streamBound(bound, slots)],
    [/^(?=# The times)/m, namespace && ofItsOwn(namespace)],
    [/^source:\n(?: .*\n)+/m, source && `source:\n${linesOf(source)}`],
    // The starter's other keys of this sink stay.
    [/^ {2}url: redis:.*\n/m, sink?.['use'] === 'redis-stream' ? linesOf(withoutUse(sink)) : undefined],
    [/^sink:\n(?: .*\n)+(?:#.*\n)*/m, sink && sink['use'] !== 'redis-stream' ? `sink:\n${linesOf(sink)}` : undefined],
    [/^ {2}cron: "0 \* \* \* \*"/m, cron ? `  cron: ${JSON.stringify(cron)}` : undefined],
    [/^ {2}catchUp: latest/m, catchUp && `  catchUp: ${catchUp.padEnd('latest'.length)}`],
    [/^# notify:\n# {3}ping: .*\n/m, ping === undefined ? undefined : `notify:\n${linesOf({ ping })}`],
  ]
  const text = changes.reduce((before, [place, put]) => {
    if (put === undefined) return before
    if (!place.test(before)) throw new Error(`The starter has no place for ${put}`) // its words were changed
    return before.replace(place, () => put)
  }, starter)
  const asComment = (lines: string): string => lines.replaceAll(/^(?=.)/gm, '# ')
  return cron === null ? text.replace(/^schedule:\n(?: .*\n)+/m, asComment) : text
}

const streamBound = (bound: number, slots: string): string =>
  `${`  maxLength: ${bound}`.padEnd(29)} # entries, trimmed approximately: ${slots}\n`

const keptTasks = (bound: number, slots: string): string =>
  `${`  keepTasks: ${bound}`.padEnd(29)} # delivered again where the sink loses them: ${slots}\n`

const ofItsOwn = (namespace: string): string =>
  '# Another outbox delivers there, too: this goes into each task id, so that no two places get the same one.\n' +
  `taskNamespace: ${scalar(namespace)}\n\n`

const withoutUse = ({ use: _, ...rest }: Section): Section => rest

const linesOf = (section: Section): string =>
  Object.entries(section)
    .map(([key, value]) => {
      const line = `  ${key}: ${typeof value === 'string' ? scalar(value) : JSON.stringify(value)}`
      return comments[key] === undefined ? `${line}\n` : `${line.padEnd(29)} # ${comments[key]}\n`
    })
    .join('')

/** Quoted unless YAML reads the bare text as this very string; single quotes for a query with double quotes. */
function scalar(text: string): string {
  if (/^(?!(?:true|false|null|\.inf|\.nan)$)[./a-z][\w./:@${}?=&%~+-]*[\w}/]$/i.test(text)) return text
  return text.includes('"') && !/['\p{Cc}]/u.test(text) ? `'${text}'` : JSON.stringify(text)
}

/** The lines of a configuration without comments. */
export const settingsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => /^ *[^ #]/.test(line))
    .map((line) => line.replace(/ +# [^"]*$/, ''))
