/** What docs/troubleshooting.md lists: every message in src/, by what it is about, in the order of its words. */
import * as errors from '../src/errors/index.ts'
import { messages } from './messages.mjs'
import { passedOn } from './passed-on.mjs'
import { keyOf, withoutKeys } from './texts.mjs'

const warnings = 'Warnings'
const rejected = 'Why a location is rejected'

/** What goes for all of a table. */
const intros = {
  [warnings]: 'The run went on. [monitoring.md](monitoring.md#the-log) says what each event means.',
  [rejected]:
    'It is set aside, and the others are delivered. `owm outbox inspect --state rejected` shows each with its ' +
    'place and value: correct it there, or set the option that the reason names.',
}

/** Titles of the tables, with what belongs in each: the first that fits takes a message. */
const areas = [
  [warnings, ({ event }) => event !== undefined],
  [rejected, ({ classes }) => isOne(classes, ['Malformed', 'Rejection', 'Unreadable'])],
  ['Flags and arguments', ({ classes }) => isOne(classes, ['UsageError'])],
  ['Slots, shards and the schedule', /^src\/(pipeline\/slots|schedule|cli\/compose)/],
  ['A list in a file or on standard input', /^src\/sources\/(static-list|formats|fields|signs)/],
  ['An HTTP API (source http)', /^src\/sources\/http/],
  ['A database (source sql)', /^src\/(sources\/sql|databases)/],
  ['Any source', /^src\/(sources|pipeline\/(input|reader|produce|dry-run)|cli\/actions\/rejects)|: The source /],
  ['The outbox, its file and its disk', /^src\/(outbox|files|cli\/actions\/outbox)/],
  ['Redis', /^src\/sinks\/redis/],
  ['PostgreSQL (sink postgres)', /^src\/sinks\/postgres/],
  ['A file of tasks (sink jsonl)', /^src\/sinks\/jsonl/],
  ['Delivery, to any sink', /^src\/(pipeline|sinks)/],
  ['Plugins', /^src\/(plugins|doctor|trust)/],
  ['Configuration, variables and secrets', /^src\/(config|deploy|errors)/],
  ['Commands that look or print', /^src\/(cli|commands)/],
]

const isOne = (classes, names) => classes?.some((name) => names.includes(name)) ?? false

/** Hints that so many messages of one area have are said once, above them. */
const common = 5

const classNamed = new Map(Object.entries(errors))

/** @returns a list of {title, intro, head, rows}, a table each */
export function troubleshooting() {
  const all = messages(passedOn).map((message) => ({ ...message, area: areaOf(message) }))
  const titles = [...areas.slice(1), areas[0]].map(([title]) => title)
  return titles.map((title) =>
    tableOf(
      title,
      all.filter(({ area }) => area === title),
    ),
  )
}

function areaOf(message) {
  const fits = (test) => (typeof test === 'function' ? test(message) : test.test(`${message.place}: ${message.text}`))
  const found = areas.find(([, test]) => fits(test))
  if (!found) throw new Error(`${message.place}: scripts/troubleshooting.mjs has no table for this message`)
  return found[0]
}

function tableOf(title, found) {
  const hints = found.flatMap((message) => message.hints)
  const said = [...new Set(hints)].filter((hint) => hints.filter((one) => one === hint).length >= common)
  const texts = [...new Set(found.map(({ text }) => text))]
  const rows = texts.map((text) =>
    rowOf(
      text,
      found.filter((message) => message.text === text),
      said,
    ),
  )
  const sorted = rows.toSorted(([a], [b]) => wordsOf(a).localeCompare(wordsOf(b), 'en'))
  const head = ['message', title === warnings ? 'event' : 'what to do', 'exit']
  const isUsed = (_, column) => rows.some((row) => row[column] !== '')
  return {
    title,
    intro: [intros[title] ?? '', ...said.map((hint) => `${markOf(hint, said)} ${hintText(hint)}`)].filter(Boolean),
    head: head.filter(isUsed),
    rows: sorted.map((row) => row.filter(isUsed)),
  }
}

function rowOf(text, same, said) {
  if (same[0].event !== undefined) return [text, same.map((one) => `\`${one.event}\``).join(', '), '']
  const hints = [...new Set(same.flatMap((message) => message.hints))]
  const todo = hints.map((hint) => (said.includes(hint) ? markOf(hint, said) : hintText(hint))).join('<br>')
  return [text, todo, [...new Set(same.map(exitOf))].sort().join(' or ')]
}

/** `(a)` */
const markOf = (hint, said) => `(${String.fromCharCode('a'.charCodeAt(0) + said.indexOf(hint))})`

/** The code of the class that it extends among owm's errors; none of what is only a part of a message. */
function exitOf({ classes }) {
  if (classes[0] === 'InterruptedError') return '130 or 143'
  return classes.includes('OwmError') ? String(new (classNamed.get(classes.at(-2)))('').exitCode) : ''
}

const hintText = (hint) => (keyOf(hint) === undefined ? '' : `\`${plain(keyOf(hint))}\`: `) + withoutKeys(hint)

/** SQLSTATEs are looked up by a pattern. */
const plain = (key) => key.replace(/^\/\^?|\$?\/$|[()^$]/g, '').replaceAll('|', ', ')

/** By what a message is sorted: its own words, without an article. */
const wordsOf = (text) =>
  text
    .replace(/^[^\p{L}]+/u, '')
    .replace(/^(the|an?) /i, '')
    .replace(/[`"…]/g, '')
