/** The tables of the page: runs, the plan, reasons and locations. */
import { type PlaceState, placeStates, type ReportData, type ReportPlan } from '../data.js'
import type { Places } from './decode.js'
import { element, foreign, part } from './dom.js'
import { swatch } from './map/marks.js'
import { PagedTable } from './paged-table.js'
import { lagOf, rateOf } from './runs/figures.js'
import { count, duration, position, stateWords, time } from './words.js'

const unknownLast = (value: number): number => (Number.isNaN(value) ? -1 : value)

export function showRuns({ runs, olderRuns }: ReportData): void {
  const numbers = (['read', 'stored', 'delivered', 'pending', 'dead', 'rejected', 'duplicates'] as const).map(
    (key) => ({
      title: key === 'duplicates' ? 'Dupl.' : `${key[0]?.toUpperCase()}${key.slice(1)}`,
      isNumber: true,
      cell: (run: (typeof runs)[number]) => count(run[key]),
      order: (run: (typeof runs)[number]) => run[key],
    }),
  )
  const table = new PagedTable<(typeof runs)[number]>(part('runs-table'), {
    caption: `Runs, the newest first${olderRuns > 0 ? `; ${count(olderRuns)} older ones are in the outbox` : ''}`,
    empty: 'No run yet.',
    rowsAPage: 12,
    columns: [
      { title: 'Slot (UTC)', cell: ({ slot }) => time(slot), order: ({ slot }) => slot },
      {
        title: 'State',
        cell: ({ state, shard }) => (shard ? `${state}, shard ${shard}` : state),
        order: (run) => run.state,
      },
      ...numbers,
      {
        title: 'Rate',
        isNumber: true,
        order: (run) => unknownLast(rateOf(run)),
        cell: (run) => (Number.isNaN(rateOf(run)) ? '' : `${count(Math.round(rateOf(run)))}/s`),
      },
      {
        title: 'Lag',
        isNumber: true,
        order: (run) => unknownLast(lagOf(run)),
        cell: (run) => duration(lagOf(run)),
      },
      { title: 'Run', cell: ({ runId }) => element('code', {}, runId.slice(0, 8)) },
      { title: 'Last error', cell: ({ lastError }) => foreign(lastError) },
    ],
  })
  table.show(runs)
}

export function showPlanTable({ slots }: ReportPlan): void {
  const hasCalls = slots.some(({ calls }) => calls !== null)
  const number = (value: number | null): string => (value === null ? '' : count(value))
  const calls = [
    { title: 'Calls', isNumber: true, cell: (slot: ReportPlan['slots'][number]) => number(slot.calls) },
    {
      title: 'Calls a minute',
      isNumber: true,
      cell: (slot: ReportPlan['slots'][number]) => number(slot.callsPerMinute),
    },
  ]
  new PagedTable<ReportPlan['slots'][number]>(part('plan-table'), {
    caption: 'What each coming slot brings',
    empty: 'No time is scheduled in the next 24 hours.',
    rowsAPage: 12,
    columns: [
      { title: 'Slot (UTC)', cell: ({ slot }) => time(slot) },
      { title: 'Tasks', isNumber: true, cell: ({ tasks }) => count(tasks) },
      ...(hasCalls ? calls : []),
    ],
  }).show(slots)
}

export function showReasons({ reasons }: ReportData): void {
  const empty = 'Nothing was rejected, and no task is dead.'
  if (reasons.length === 0) {
    part('reasons-table').append(element('p', { class: 'soft' }, empty))
    return
  }
  new PagedTable<ReportData['reasons'][number]>(part('reasons-table'), {
    caption: 'Reasons, the commonest first',
    empty,
    rowsAPage: 12,
    columns: [
      { title: 'Reason', cell: ({ reason }) => foreign(reason), order: ({ reason }) => reason },
      { title: 'State', cell: ({ state }) => stateCell(state), order: ({ state }) => state },
      { title: 'Count', isNumber: true, cell: (one) => count(one.count), order: (one) => one.count },
      { title: 'An example stands at', cell: ({ position }) => foreign(position) },
      { title: 'and is', cell: ({ value }) => element('code', {}, foreign(value)) },
    ],
  }).show(reasons)
}

const stateCell = (state: PlaceState): HTMLElement =>
  element('span', { class: 'state' }, swatch(state), stateWords[state].name)

/** The table of locations with its search; tells the map which ones are left. */
export function showPlaces(
  places: Places,
  onFilter: (isShown: (index: number) => boolean) => void,
  onChoose: (index: number) => void,
): void {
  const of = (text: (index: number) => string) => ({ cell: (index: number) => foreign(text(index)), order: text })
  const table = new PagedTable<number>(part('places-table'), {
    caption: 'Locations',
    empty: 'No location is as you asked for.',
    onChoose,
    columns: [
      { title: 'City', ...of(places.city) },
      { title: 'Region', ...of(places.region) },
      { title: 'State', cell: (index) => stateCell(places.state(index)), order: (index) => places.states[index] ?? 0 },
      {
        title: 'Position',
        cell: (index) => position(places.latitude[index] ?? Number.NaN, places.longitude[index] ?? Number.NaN),
      },
      { title: 'Slot (UTC)', cell: (index) => time(places.slot(index)), order: places.slot },
      { title: 'Reason', ...of(places.reason) },
    ],
  })
  // Trouble first; the order of the source or of the tasks otherwise.
  const all = Uint32Array.from({ length: places.count }, (_, index) => index)
  const inOrder = [...all].sort((one, other) => (places.states[other] ?? 0) - (places.states[one] ?? 0))
  const search = part('search')
  const boxes = placeStates.map((state) => document.querySelector(`#legend input[value=${state}]`))
  let texts: string[] | undefined
  const filter = (): void => {
    const wanted = search instanceof HTMLInputElement ? search.value.trim().toLowerCase() : ''
    const isOn = boxes.map((box) => !(box instanceof HTMLInputElement) || box.checked)
    if (wanted !== '') texts ??= inOrder.map((_, at) => textOf(places, at))
    const shown = new Uint8Array(places.count)
    const rows = inOrder.filter(
      (index) => isOn[places.states[index] ?? 0] && (wanted === '' || texts?.[index]?.includes(wanted)),
    )
    for (const index of rows) shown[index] = 1
    table.show(rows)
    onFilter((index) => shown[index] === 1)
  }
  search.addEventListener('input', filter)
  part('legend').addEventListener('change', filter)
  filter()
}

const textOf = (places: Places, index: number): string =>
  [places.city(index), places.region(index), places.reason(index)].join('\n').toLowerCase()
