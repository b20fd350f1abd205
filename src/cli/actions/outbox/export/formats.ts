/** Records of the outbox as NDJSON or CSV. */
import type { Stored } from '../../../../outbox/inspect/tasks/stored.js'
import { exactJson } from '../../../../tasks/json/exact.js'
import { parseJson } from '../../../../tasks/json/parse.js'
import { harmlessJson } from '../../../format.js'

export const formats = ['csv', 'ndjson'] as const

/** What a spreadsheet takes for a formula; its signs also in full width. */
const formula = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/
const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

export interface Format {
  /** Before the first record. */
  readonly head: string
  lineOf(stored: Stored): string
}

export const formatNamed = (name: (typeof formats)[number]): Format => (name === 'csv' ? csv : ndjson)

/** A task is copied as it is stored, so that no digit changes. */
const ndjson: Format = {
  head: '',
  lineOf: ({ task, ...rest }) => harmlessJson(`${JSON.stringify(rest).slice(0, -1)},"task":${task ?? 'null'}}\n`),
}

const taskKeys = [
  'task_id',
  'latitude_deg',
  'longitude_deg',
  'city',
  'state',
  'forecast_duration_hours',
  'historical_duration_hours',
  'location_id',
]

/** RFC 4180: commas, CRLF, quotes where needed. `more`: all other keys of the task, as JSON. */
const csv: Format = {
  head: row(
    ['seq,run_id,slot,status,attempts,reason,stored_at,position'.split(','), taskKeys, 'more', 'record'].flat(),
  ),
  lineOf: ({ seq, runId, slot, state, attempts, reason, storedAt, position, task, record }) => {
    const keys = new Map(Object.entries(Object(parseJson(task ?? '{}'))))
    const known = taskKeys.map((key) => fieldText(keys.get(key)))
    const others = [...keys].filter(([key]) => !taskKeys.includes(key))
    const more = others.length === 0 ? '' : (exactJson(Object.fromEntries(others)) ?? '')
    const own = [seq, runId, slot, state, attempts, reason, storedAt, position].map(fieldText)
    return row([...own, ...known, more, record ?? ''])
  },
}

/** A text as it is, anything else as JSON. */
const fieldText = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'string' ? value : (exactJson(value) ?? '')

function row(texts: readonly string[]): string {
  return `${texts.map(cell).join(',')}\r\n`
}

/** An apostrophe makes a spreadsheet show a formula as text. Numbers stay numbers. */
function cell(text: string): string {
  // guard: no-formula
  if (formula.test(text) && !number.test(text)) return quoted(`'${text}`)
  return quoted(text)
}
