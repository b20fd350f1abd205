/** A plan in words: a table that fits a terminal, the day's total, and the limits. */
import { compact } from '../../../lists.js'
import { costOf, type Terms } from '../../../schedule/limits.js'
import { eachRun } from '../../../schedule/plan.js'
import { count, locationsRead, plural } from '../../format.js'
import { table, terminalWidth } from '../../table.js'
import type { Over, PlannedSlot, PlanResult } from './plan.js'

/** Rows that are taken in at a glance: longer plans are told by the hour, or by the day. */
const mostRows = 48

export async function planInWords(result: PlanResult, terms: Terms | undefined): Promise<string[]> {
  const { cron, timezone, source, slots, hours, day, over } = result
  const duplicates = `${count(source.rejected)} rejected, ${plural(source.duplicates, 'duplicate')}`
  const none = [`no time is scheduled in the next ${plural(hours, 'hour')}`]
  return [
    `${cron} (${timezone}): ${locationsRead(source)}, ${duplicates}`,
    '',
    ...(slots.length === 0 ? none : await tableOf(result)),
    ...(terms && day.calls !== null ? ['', wordsOfDay(day.calls, result.currency, terms)] : []),
    ...over.map(overLimitInWords),
    ...(terms && over.length === 0 ? kept(slots, terms) : []),
  ]
}

async function tableOf({ slots, day, hours }: PlanResult): Promise<string[]> {
  const { name, rows } = rowsOf(slots)
  const total: Row = { label: `${hours > 24 ? 'first ' : ''}24 h`, of: [{ ...day, callsPerMinute: null }] }
  const all = [...rows, total]
  const cadences = Object.keys(slots[0]?.byCadence ?? {})
  const isOne = cadences.length === 1 && cadences[0] === eachRun
  const byTasks = isOne
    ? []
    : cadences.toSorted((one, other) => (day.byCadence[other] ?? 0) - (day.byCadence[one] ?? 0))
  const width = Math.min(80, terminalWidth())
  for (let most = byTasks.length; ; most--) {
    const told = cadences.filter((cadence) => byTasks.slice(0, most).includes(cadence))
    const columns = columnsOf(told, most < byTasks.length && most > 0, day.calls !== null, rows.length < slots.length)
    const [head, ...lines] = aligned([
      [name, ...columns.map(({ head }) => head)],
      ...all.map((row) => [row.label, ...columns.map(({ cell }) => cell(row.of))]),
    ])
    if (most <= 0 || [head ?? []].every((cells) => cells.join('  ').length <= width))
      return table(head ?? [], lines, Number.POSITIVE_INFINITY)
  }
}

type Counted = Pick<PlannedSlot, 'tasks' | 'byCadence' | 'calls' | 'callsPerMinute'>

/** Slots that are told together. */
interface Row {
  readonly label: string
  readonly of: readonly Counted[]
}

/** By slot, or where those are too many by the hour or the day. */
function rowsOf(slots: readonly PlannedSlot[]): { name: string; rows: Row[] } {
  const kinds = [
    { name: 'slot', labelOf: (slot: string) => `${slot.slice(0, 16)}Z` },
    { name: 'hour', labelOf: (slot: string) => `${slot.slice(0, 13)}:00Z` },
    { name: 'day (UTC)', labelOf: (slot: string) => slot.slice(0, 10) },
  ]
  const grouped = kinds.map(({ name, labelOf }) => {
    const groups = new Map<string, PlannedSlot[]>()
    for (const one of slots) groups.set(labelOf(one.slot), [...(groups.get(labelOf(one.slot)) ?? []), one])
    return { name, rows: [...groups].map(([label, of]) => ({ label, of })) }
  })
  return grouped.find(({ rows }) => rows.length <= mostRows) ?? grouped.at(-1) ?? { name: '', rows: [] }
}

interface Column {
  readonly head: string
  cell(of: readonly Counted[]): string
}

const sumOf = (of: readonly Counted[], number: (one: Counted) => number): number =>
  of.reduce((sum, one) => sum + number(one), 0)

/** @param isSummed whether a row may stand for several slots */
function columnsOf(cadences: readonly string[], hasOthers: boolean, hasCalls: boolean, isSummed: boolean): Column[] {
  const sum = (head: string, number: (one: Counted) => number): Column => ({
    head,
    cell: (of) => count(sumOf(of, number)),
  })
  const dueBy = (one: Counted, cadence: string): number => one.byCadence[cadence] ?? 0
  const others = (one: Counted): number => cadences.reduce((rest, cadence) => rest - dueBy(one, cadence), one.tasks)
  const most = (of: readonly Counted[]): string => {
    const rates = of.flatMap(({ callsPerMinute }) => callsPerMinute ?? [])
    return rates.length === 0 ? '' : count1(Math.max(...rates))
  }
  return compact(
    sum('tasks', ({ tasks }) => tasks),
    ...cadences.map((cadence) => sum(cadence, (one) => dueBy(one, cadence))),
    hasOthers && sum('others', others),
    hasCalls && sum('calls', ({ calls }) => calls ?? 0),
    hasCalls && { head: isSummed ? 'most/min' : 'calls/min', cell: most },
  )
}

/** `1,234.5`: a number with at most one decimal. */
function count1(value: number): string {
  const [whole = '', part] = String(value).split('.')
  return count(Number(whole)) + (part === undefined ? '' : `.${part}`)
}

/** Numbers end where the numbers above them do. */
function aligned(rows: readonly (readonly string[])[]): string[][] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
  )
}

function wordsOfDay(calls: number, currency: string | null, terms: Terms): string {
  const money = (days: number): string => [costOf(calls, terms, days), currency ?? ''].join(' ').trim()
  const paid = Math.max(0, calls - terms.freeCallsPerDay)
  const beyond =
    terms.freeCallsPerDay > 0 ? `, ${count(paid)} beyond the ${count(terms.freeCallsPerDay)} free ones` : ''
  const price = terms.pricePerCall === undefined ? '' : `: ${money(1)}; 30 such days: ${money(30)}`
  return `24 h: ${plural(calls, 'call')}${beyond}${price}`
}

/** The limits that hold. */
function kept(slots: readonly PlannedSlot[], { limitPerMinute, limitPerDay }: Terms): string[] {
  const rates = slots.flatMap(({ callsPerMinute }) => callsPerMinute ?? [])
  return [
    ...(limitPerMinute === undefined || rates.length === 0
      ? []
      : [`within plan.limitPerMinute: at most ${count1(Math.max(...rates))} of ${count(limitPerMinute)}`]),
    ...(limitPerDay === undefined ? [] : [`within plan.limitPerDay, ${count(limitPerDay)}`]),
  ]
}

export function overLimitInWords({ limit, allowed, at, calls, callsPerMinute }: Over): string {
  const least = `plan.${limit} is ${count(allowed)}.`
  if (callsPerMinute === undefined) return `The 24 h from ${at} on bring ${plural(calls, 'call')}, ${least}`
  return `The slot ${at} brings ${plural(calls, 'call')}, ${count1(callsPerMinute)} a minute until the next; ${least}`
}
