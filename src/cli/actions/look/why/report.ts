/** A place's story in words. */
import { compact } from '../../../../lists.js'
import type { Reading } from '../../../../plugin.js'
import { normalSlot } from '../../../../tasks/slot.js'
import { age, count, plural, shortId } from '../../../format.js'
import { table, terminalWidth, wrapped } from '../../../table.js'
import { placeOfSink } from '../sink.js'
import type { Spot } from './match.js'
import type { Gone, Seen } from './sink.js'
import type { RunStory } from './story.js'
import type { WhyFlags, WhyResult } from './why.js'

export async function whyInWords(result: WhyResult, { limit }: WhyFlags): Promise<string[]> {
  const { text, places, lines, runs, notes } = result
  const width = terminalWidth()
  const trouble = notes.flatMap((note) => wrapped(`could not look: ${note}`, width))
  if (places.length > 1)
    return compact(
      ...wrapped(`${text} fits several places: give more of the name, an id or coordinates`, width),
      '',
      ...(await table(['CITY', 'STATE', 'ID', 'LATITUDE', 'LONGITUDE'], places.map(rowOf), width)),
      places.length === limit && 'there may be more: --limit',
      ...trouble,
    )
  const [place] = places
  if (!place && lines.length === 0 && runs.length === 0) return [...nothingIn(result, width), ...trouble]
  return [
    ...wrapped(place ? placeInWords(place) : `${text}: no place, but records that can't be one`, width),
    ...lines.flatMap((line) => lineInWords(line, width)),
    ...(result.source && lines.length === 0
      ? wrapped(`not in the list of ${result.source.name} now (${count(result.source.read)} locations)`, width)
      : []),
    ...runs.slice(0, limit).flatMap((run) => ['', ...runInWords(run, placeOfSink(result.sink), width)]),
    ...(runs.length === 0 ? wrapped(`no run in the outbox ${result.outbox} has anything of it`, width) : []),
    ...(trouble.length > 0 ? ['', ...trouble] : []),
  ]
}

type ShownLine = WhyResult['lines'][number]

const rowOf = ({ city, state, id, latitude, longitude }: Spot): string[] => [
  ...[city, state, id ?? '', String(latitude ?? ''), String(longitude ?? '')],
]

function nothingIn({ text, outbox, source, near }: WhyResult, width: number): string[] {
  const list = source ? `neither in the list of ${source.name} (${plural(source.read, 'location')}), nor` : 'not'
  const slot = normalSlot(text)
  return [
    ...wrapped(`Nothing matches ${text}: ${list} in the outbox ${outbox}.`, width),
    ...(slot === undefined
      ? []
      : wrapped(`It is a time: \`owm runs show ${slot}\` tells what became of that slot.`, width)),
    ...(near === null || slot !== undefined ? [] : wrapped(`The most similar name is ${near}.`, width)),
  ]
}

function placeInWords({ city, state, id, latitude, longitude }: Spot): string {
  const name = [city, state].filter((part) => part !== '').join(', ')
  const at = latitude === null || longitude === null ? '' : ` (${latitude}, ${longitude})`
  return [`${name}${at}`.trim(), ...(id === null ? [] : [`id ${id}`])].filter((part) => part !== '').join(', ')
}

function lineInWords({ position, leftOutBy, rejected, duplicateOf, cadence }: ShownLine, width: number): string[] {
  const due = cadence ? `; due every ${cadence.every}: last ${cadence.window}, next ${cadence.next}` : ''
  let fate = `makes a task${due}`
  if (duplicateOf !== null) fate = `a duplicate of ${duplicateOf}`
  if (rejected !== null) fate = `rejected: ${rejected}`
  if (leftOutBy !== null) fate = `left out by source.${leftOutBy}`
  return wrapped(`list: ${position}: ${fate}`, width)
}

function runInWords(story: RunStory, sink: string, width: number): string[] {
  const { slot, runId, state, what, taskId, seq, batch, attempts, reason, position, at, entries, gone } = story
  const details = compact(
    seq !== null && `seq ${seq}${batch === null ? '' : ` in the batch at ${batch}`}`,
    attempts > 0 && plural(attempts, 'attempt'),
    position,
    at !== null && `${what === 'dead' || what === 'discarded' ? 'since' : 'stored'} ${at}`,
  )
  return [
    ...wrapped(`${slot}: ${what} (run ${shortId(runId)}, ${state})`, width),
    ...(taskId === null ? [] : [`  task ${taskId}`]),
    ...(details.length > 0 ? wrapped(`  ${details.join(', ')}`, width) : []),
    ...(reason === null ? [] : wrapped(`  ${reason}`, width)),
    ...entries.flatMap((entry) => entryInWords(entry, sink, width)),
    ...(gone === null ? [] : wrapped(`  ${goneInWords(gone)}`, width)),
  ]
}

function entryInWords({ id, at, readings }: Seen, sink: string, width: number): string[] {
  return [
    ...wrapped(`  entry ${id} of ${sink}${at === null ? '' : `, added ${at}`}`, width),
    ...readings.flatMap((reading) => wrapped(`    ${reading.group}: ${readingInWords(reading)}`, width)),
  ]
}

function readingInWords({ state, holder }: Reading): string {
  if (state === 'waiting') return 'has not read it'
  if (state === 'acknowledged') return 'is done with it, or was made behind it'
  if (!holder) return 'holds it'
  const { consumer, idleMs, deliveries } = holder
  return `${consumer} has held it for ${age(idleMs)}, given out ${plural(deliveries, 'time')}`
}

function goneInWords({ how, sinks, unreadBy, passedBy }: Gone): string {
  if (how === 'elsewhere') return `it went to ${sinks.join(' and to ')}, not to this sink`
  if (how === 'missing') return 'the sink took it and has it no more: `owm verify` compares the slot'
  if (how === 'taken') return 'the sink took it; a reader has taken it away since, as it does when a task is done'
  const unread = unreadBy.length > 0 ? `; ${unreadBy.join(', ')} had not read it` : ''
  const passed = passedBy.length > 0 ? `; ${passedBy.join(', ')} is behind it: read, or passed over` : ''
  return `trimmed since${unread}${passed}`
}
