/** What the outbox holds, as lines of NDJSON or CSV. */
import type { Stored } from '../../../../outbox/inspect/tasks/stored.js'
import { exactJson } from '../../../../tasks/json/exact.js'
import { parseJson } from '../../../../tasks/json/parse.js'
import { harmlessJson } from '../../../format.js'

export const formats = ['csv', 'ndjson'] as const

/** What a spreadsheet takes for a formula, in any width of its letters. */
const formula = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/
const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

export interface Format {
  /** Before the first record. */
  readonly head: string
  lineOf(stored: Stored): string
}

export const formatNamed = (name: (typeof formats)[number]): Format => (name === 'csv' ? csv : ndjson)

/** A task is written as it is stored: no digit of it changes. */
const ndjson: Format = {
  head: '',
  lineOf: ({ task, ...rest }) => harmlessJson(`${JSON.stringify(rest).slice(0, -1)},"task":${task ?? 'null'}}\n`),
}

const ofTask = [
  'task_id',
  'latitude_deg',
  'longitude_deg',
  'city',
  'state',
  'forecast_duration_hours',
  'historical_duration_hours',
  'location_id',
]

/** RFC 4180: comma, line ends of two characters, quotes where they are needed. `more`: all other keys, as JSON. */
const csv: Format = {
  head: row([
    ...['seq', 'run_id', 'slot', 'status', 'attempts', 'reason', 'stored_at', 'position'],
    ...ofTask,
    ...['more', 'record'],
  ]),
  lineOf: ({ seq, runId, slot, state, attempts, reason, storedAt, position, task, record }) => {
    const keys = new Map(Object.entries(Object(parseJson(task ?? '{}'))))
    const known = ofTask.map((key) => textOf(keys.get(key)))
    const others = [...keys].filter(([key]) => !ofTask.includes(key))
    const more = others.length === 0 ? '' : (exactJson(Object.fromEntries(others)) ?? '')
    return row([
      ...[
        seq === null ? '' : String(seq),
        runId,
        slot,
        state,
        String(attempts),
        reason ?? '',
        storedAt,
        position ?? '',
      ],
      ...[...known, more, record ?? ''],
    ])
  },
}

/** A text as it is, anything else as JSON. */
const textOf = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'string' ? value : (exactJson(value) ?? '')

function row(texts: readonly string[]): string {
  return `${texts.map(cell).join(',')}\r\n`
}

/** With an apostrophe before what would be executed: a spreadsheet shows a text then. Numbers stay numbers. */
function cell(text: string): string {
  // guard: no-formula
  if (formula.test(text) && !number.test(text)) return quoted(`'${text}`)
  return quoted(text)
}
