/** What the page says first: whether all is well, and the numbers. */
import { sumOf } from '../../lists.js'
import { placeStates, type ReportData } from '../data.js'
import type { Places } from './decode.js'
import { element, foreign, part } from './dom.js'
import { swatch } from './map/marks.js'
import { lagOf } from './runs/figures.js'
import { slotState } from './runs/slots.js'
import { count, duration, plural, share, stateWords, time } from './words.js'

export function showSummary(data: ReportData, countOf: readonly number[]): void {
  const { owner, outbox, sink, madeAt, version, totals } = data
  part('owner').replaceChildren(foreign(owner || outbox))
  document.title = `owm report: ${part('owner').textContent}`
  const facts = [`${time(madeAt)} UTC`, ...(sink ? [`to ${sink}`] : [])]
  part('facts').replaceChildren(...facts.flatMap((fact, index) => [...(index > 0 ? [' · '] : []), foreign(fact)]))
  const made = `Made by owm ${version} from the outbox ${outbox} as it was at ${time(madeAt)} UTC.`
  part('made').replaceChildren(foreign(made))
  const troubles = troublesOf(data)
  const verdict = troubles.length === 0 ? 'All is well: nothing is pending, dead or missed.' : troubles.join(' ')
  part('verdict').textContent = data.runs.length === 0 ? 'No run is in the outbox yet.' : verdict
  part('verdict').classList.toggle('well', troubles.length === 0)
  const all = sumOf(countOf, (one) => one)
  const delivered = countOf[placeStates.indexOf('delivered')] ?? 0
  const lag = data.runs.map(lagOf).find((one) => !Number.isNaN(one))
  const leftOut = data.source?.leftOut ?? 0
  const tiles: [name: string, value: string, about: string, kind: string][] = [
    [
      'Locations',
      count(all),
      data.notShown ? 'more are not shown: see the map' : `${share(delivered, all)} delivered`,
      '',
    ],
    ['Pending', count(totals.pending), pendingFor(data), totals.pending > 0 ? 'pending' : ''],
    ['Dead', count(totals.dead), 'tasks that the sink refused', totals.dead > 0 ? 'dead' : ''],
    ['Rejected', count(totals.rejected), 'records of all runs', totals.rejected > 0 ? 'rejected' : ''],
    ['Missed', count(missedIn(data)), 'slots without a run', missedIn(data) > 0 ? 'dead' : ''],
    ['Lag', lag === undefined ? '–' : duration(lag), 'of the newest delivered slot', ''],
    ...(leftOut > 0 ? [tileOf('Left out', count(leftOut), 'by the filters')] : []),
  ]
  part('tiles').replaceChildren(
    ...tiles.map(([name, value, about, kind]) =>
      element(
        'div',
        { class: `tile ${kind}` },
        element('dt', {}, name),
        element('dd', {}, value),
        element('dd', {}, about),
      ),
    ),
  )
}

const tileOf = (name: string, value: string, about: string): [string, string, string, string] => [
  name,
  value,
  about,
  '',
]

const missedIn = ({ runs, gaps }: ReportData): number =>
  sumOf(gaps, (gap) => gap.count) + runs.filter((run) => slotState(run) === 'missed').length

const pendingFor = ({ oldestPendingAt, madeAt }: ReportData): string =>
  oldestPendingAt === null
    ? 'tasks that the sink is to take'
    : `the oldest for ${duration((Date.parse(madeAt) - Date.parse(oldestPendingAt)) / 1000)}`

function troublesOf(data: ReportData): string[] {
  const { totals, circuits, source, runs } = data
  const is = (value: number): string => (value === 1 ? 'is' : 'are')
  const open = runs.filter((run) => slotState(run) === 'open').length
  const lost = sumOf(runs, (run) => run.lost)
  return [
    ...(totals.dead > 0 ? [`${plural(totals.dead, 'task')} ${is(totals.dead)} dead.`] : []),
    ...(lost > 0 ? [`The sink has lost ${plural(lost, 'task')}.`] : []),
    ...(totals.pending > 0 ? [`${plural(totals.pending, 'task')} ${is(totals.pending)} pending.`] : []),
    ...(open > 0 ? [`${plural(open, 'run')} ${is(open)} not finished.`] : []),
    ...(missedIn(data) > 0
      ? [`${plural(missedIn(data), 'slot')} ${missedIn(data) === 1 ? 'was' : 'were'} missed.`]
      : []),
    ...circuits.map((circuit) => `${circuit}.`),
    ...(source && source.trouble !== '' ? [`The source could not be read: ${source.trouble}`] : []),
  ]
}

/** The legend is a filter, too: for the map and for the table. */
export function showLegend(places: Places, countOf: readonly number[], notShown: string): void {
  const always = ['delivered', 'pending', 'rejected', 'dead']
  const items = placeStates.toReversed().flatMap((state) => {
    const here = countOf[placeStates.indexOf(state)] ?? 0
    if (here === 0 && !always.includes(state)) return []
    const { name, about } = stateWords[state]
    const box = element('input', { type: 'checkbox', value: state, checked: true })
    return [element('label', { title: about }, box, swatch(state), `${name} `, element('b', {}, count(here)))]
  })
  part('legend').append(...items)
  const parts = placeStates.toReversed().flatMap((state) => {
    const here = countOf[placeStates.indexOf(state)] ?? 0
    return here > 0 ? [`${count(here)} ${stateWords[state].name.toLowerCase()}`] : []
  })
  const nowhere = sumOf(places.latitude, (degrees) => (Number.isNaN(degrees) ? 1 : 0))
  const text = `${plural(places.count, 'location')}: ${parts.join(', ') || 'none yet'}`
  const hidden =
    nowhere > 0 ? ` ${count(nowhere)} without a usable position ${nowhere === 1 ? 'is' : 'are'} in the table only.` : ''
  const more = notShown === '' ? '' : ` Not shown, here or in the table: ${notShown}.`
  part('map').setAttribute('aria-label', `World map of ${text}. The table of locations has all of them.${more}`)
  part('map-text').textContent = `Each location by its newest task. ${text}.${hidden}${more}`
}
