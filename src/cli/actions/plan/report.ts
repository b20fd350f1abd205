/** A plan in words: a table that fits the terminal, the day's total, and the limits. */
import { compact, groupedBy, sumOf } from '../../../lists.js'
import { costOf, type Terms } from '../../../schedule/limits.js'
import { eachRun } from '../../../schedule/plan.js'
import type { Shard } from '../../../tasks/shard.js'
import { count, locationsRead, plural } from '../../format.js'
import { table, terminalWidth } from '../../table.js'
import type { Over, PlannedSlot, PlanResult } from './plan.js'

/** Most rows that are read at a glance: a longer plan is grouped by hour, or by day. */
const mostRows = 48

/** @param share the shard that is planned; undefined for the whole list */
export async function planInWords(
  result: PlanResult,
  terms: Terms | undefined,
  share: Shard | undefined,
): Promise<string[]> {
  const { cron, timezone, source, slots, hours, day, over } = result
  const duplicates = `${count(source.rejected)} rejected, ${plural(source.duplicates, 'duplicate')}`
  const none = [`no time is scheduled in the next ${plural(hours, 'hour')}`]
  return [
    `${cron} (${timezone}): ${locationsRead(source)}, ${duplicates}`,
    '',
    ...(slots.length === 0 ? none : await tableOf(result)),
    ...(terms && day.calls !== null ? ['', dayInWords(day.calls, result.currency, terms, share)] : []),
    ...over.map(overLimitInWords),
    ...(terms && !share && over.length === 0 ? keptLimits(slots, terms) : []),
  ]
}

async function tableOf({ slots, day, hours }: PlanResult): Promise<string[]> {
  const { name, rows } = rowsOf(slots)
  const total: Row = { label: `${hours > 24 ? 'first ' : ''}24 h`, slots: [{ ...day, callsPerMinute: null }] }
  const all = [...rows, total]
  const cadences = Object.keys(slots[0]?.byCadence ?? {})
  const isOne = cadences.length === 1 && cadences[0] === eachRun
  const byTasks = isOne
    ? []
    : cadences.toSorted((one, other) => (day.byCadence[other] ?? 0) - (day.byCadence[one] ?? 0))
  const width = Math.min(80, terminalWidth())
  for (let most = byTasks.length; ; most--) {
    const columnCadences = cadences.filter((cadence) => byTasks.slice(0, most).includes(cadence))
    const columns = columnsOf(
      columnCadences,
      most < byTasks.length && most > 0,
      day.calls !== null,
      rows.length < slots.length,
    )
    const [head, ...lines] = aligned([
      [name, ...columns.map(({ head }) => head)],
      ...all.map((row) => [row.label, ...columns.map(({ cell }) => cell(row.slots))]),
    ])
    if (most <= 0 || [head ?? []].every((cells) => cells.join('  ').length <= width))
      return table(head ?? [], lines, Number.POSITIVE_INFINITY)
  }
}

type Counted = Pick<PlannedSlot, 'tasks' | 'byCadence' | 'calls' | 'callsPerMinute'>

/** Slots that share a row. */
interface Row {
  readonly label: string
  readonly slots: readonly Counted[]
}

/** One row per slot, or if there are too many, per hour or day. */
function rowsOf(slots: readonly PlannedSlot[]): { name: string; rows: Row[] } {
  const kinds = [
    { name: 'slot', labelOf: (slot: string) => `${slot.slice(0, 16)}Z` },
    { name: 'hour', labelOf: (slot: string) => `${slot.slice(0, 13)}:00Z` },
    { name: 'day (UTC)', labelOf: (slot: string) => slot.slice(0, 10) },
  ]
  const grouped = kinds.map(({ name, labelOf }) => {
    const groups = groupedBy(slots, ({ slot }) => labelOf(slot))
    return { name, rows: [...groups].map(([label, slots]) => ({ label, slots })) }
  })
  return grouped.find(({ rows }) => rows.length <= mostRows) ?? grouped.at(-1) ?? { name: '', rows: [] }
}

interface Column {
  readonly head: string
  cell(slots: readonly Counted[]): string
}

/** @param isSummed whether a row may stand for several slots */
function columnsOf(cadences: readonly string[], hasOthers: boolean, hasCalls: boolean, isSummed: boolean): Column[] {
  const sum = (head: string, number: (slot: Counted) => number): Column => ({
    head,
    cell: (slots) => count(sumOf(slots, number)),
  })
  const dueBy = (slot: Counted, cadence: string): number => slot.byCadence[cadence] ?? 0
  const others = (slot: Counted): number => slot.tasks - sumOf(cadences, (cadence) => dueBy(slot, cadence))
  const most = (slots: readonly Counted[]): string => {
    const rates = slots.flatMap(({ callsPerMinute }) => callsPerMinute ?? [])
    return rates.length === 0 ? '' : withDecimal(Math.max(...rates))
  }
  return compact(
    sum('tasks', ({ tasks }) => tasks),
    ...cadences.map((cadence) => sum(cadence, (slot) => dueBy(slot, cadence))),
    hasOthers && sum('others', others),
    hasCalls && sum('calls', ({ calls }) => calls ?? 0),
    hasCalls && { head: isSummed ? 'most/min' : 'calls/min', cell: most },
  )
}

/** `1,234.5`: a number with at most one decimal. */
function withDecimal(value: number): string {
  const [whole = '', part] = String(value).split('.')
  return count(Number(whole)) + (part === undefined ? '' : `.${part}`)
}

/** Aligns numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[][] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
  )
}

function dayInWords(calls: number, currency: string | null, terms: Terms, share: Shard | undefined): string {
  if (share) {
    const compared = 'limits, free calls and prices are for all of them: `owm plan` without --shard'
    return `24 h: ${plural(calls, 'call')}, of one shard of ${share.count}; ${compared}`
  }
  const money = (days: number): string => [costOf(calls, terms, days), currency ?? ''].join(' ').trim()
  const paid = Math.max(0, calls - terms.freeCallsPerDay)
  const beyond =
    terms.freeCallsPerDay > 0 ? `, ${count(paid)} beyond the ${count(terms.freeCallsPerDay)} free ones` : ''
  const price = terms.pricePerCall === undefined ? '' : `: ${money(1)}; 30 such days: ${money(30)}`
  return `24 h: ${plural(calls, 'call')}${beyond}${price}`
}

/** The limits that aren't exceeded. */
function keptLimits(slots: readonly PlannedSlot[], { limitPerMinute, limitPerDay }: Terms): string[] {
  const rates = slots.flatMap(({ callsPerMinute }) => callsPerMinute ?? [])
  const most = (): string => withDecimal(Math.max(...rates))
  return compact(
    limitPerMinute !== undefined &&
      rates.length > 0 &&
      `within plan.limitPerMinute: at most ${most()} of ${count(limitPerMinute)}`,
    limitPerDay !== undefined && `within plan.limitPerDay, ${count(limitPerDay)}`,
  )
}

export function overLimitInWords({ limit, allowed, at, calls, callsPerMinute }: Over): string {
  const least = `plan.${limit} is ${count(allowed)}.`
  if (callsPerMinute === undefined) return `The 24 h from ${at} on bring ${plural(calls, 'call')}, ${least}`
  const rate = withDecimal(callsPerMinute)
  return `The slot ${at} brings ${plural(calls, 'call')}, ${rate} a minute until the next; ${least}`
}
