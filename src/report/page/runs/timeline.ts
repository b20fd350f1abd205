/** The runs as a timeline: a row for each day (UTC), and in it a mark where each slot is. */
import type { ReportData } from '../../data.js'
import { element, part } from '../dom.js'
import { plural } from '../words.js'
import { type Slot, slotsOf, slotWords } from './slots.js'

const dayMs = 86_400_000
const mostDays = 31

export function showTimeline(data: ReportData): void {
  const box = part('timeline')
  const slots = slotsOf(data)
  if (slots.length === 0) {
    box.append(element('p', { class: 'soft' }, 'No run yet.'))
    return
  }
  const wide = widthOf(slots)
  const all = daysOf(slots)
  const days = all.slice(0, mostDays)
  const marks: HTMLButtonElement[] = []
  const rows = days.map(([day, own]) => {
    const track = element('div', { class: 'track' })
    for (const slot of own) {
      const mark = markOf(slot, day, wide)
      marks.push(mark)
      track.append(mark)
    }
    return element('div', { class: 'day' }, element('span', { class: 'date' }, labelOf(day)), track)
  })
  const hours = element('div', { class: 'hours', 'aria-hidden': true })
  hours.append(...['00', '06', '12', '18', '24'].map((hour) => element('span', {}, hour)))
  const legend = element('ul', { class: 'legend' })
  for (const state of new Set(slots.map((slot) => slot.state)))
    legend.append(element('li', {}, element('span', { class: `key ${state}` }), slotWords[state]))
  const grid = element('div', { role: 'group', 'aria-label': 'Slots by day; the arrow keys go from slot to slot' })
  grid.append(element('div', { class: 'day' }, element('span', { class: 'date soft' }, 'UTC'), hours), ...rows)
  const more = all.length - days.length
  box.append(legend, grid, ...(more > 0 ? [element('p', { class: 'soft' }, `and ${plural(more, 'day')} before`)] : []))
  listen(grid, marks)
}

/** The newest day first; what was missed over several days stands in each of them. */
function daysOf(slots: readonly Slot[]): [day: number, slots: Slot[]][] {
  const days = new Map<number, Slot[]>()
  for (const slot of slots) {
    const [first, last] = [Math.floor(slot.from / dayMs), Math.floor(slot.to / dayMs)]
    for (let day = last; day >= Math.max(first, last - mostDays); day--) {
      const own = days.get(day) ?? []
      days.set(day, own)
      own.push(slot)
    }
  }
  return [...days].map(([day, own]): [number, Slot[]] => [day * dayMs, own]).sort(([one], [other]) => other - one)
}

/** Most of the time between two slots, as a share of a day. */
function widthOf(slots: readonly Slot[]): number {
  const gaps = slots.slice(1).map(({ from }, index) => from - (slots[index]?.to ?? from))
  const usual = gaps.filter((gap) => gap > 0).sort((a, b) => a - b)
  const median = usual[usual.length >> 1] ?? dayMs
  return Math.min(0.035, (0.8 * median) / dayMs)
}

function markOf({ from, to, state, text }: Slot, day: number, wide: number): HTMLButtonElement {
  const [start, end] = [Math.max(from, day), Math.min(to, day + dayMs - 1)]
  const mark = element('button', { type: 'button', class: `slot ${state}`, tabindex: -1, 'aria-label': text })
  mark.style.left = `${(100 * (start - day)) / dayMs}%`
  mark.style.width = `${100 * ((end - start) / dayMs + wide)}%`
  return mark
}

const labelOf = (day: number): string =>
  new Intl.DateTimeFormat('en', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(day)

/** One stop for the Tab key; the arrow keys go on from there. */
function listen(grid: HTMLElement, marks: readonly HTMLButtonElement[]): void {
  const text = part('slot')
  const tell = (mark: HTMLButtonElement): void => {
    text.textContent = mark.getAttribute('aria-label')
  }
  let current = marks[0]
  if (current) current.tabIndex = 0
  const isMark = (target: EventTarget | null): target is HTMLButtonElement =>
    target instanceof HTMLButtonElement && target.classList.contains('slot')
  grid.addEventListener('focusin', ({ target }) => {
    if (!isMark(target)) return
    if (current) current.tabIndex = -1
    current = target
    current.tabIndex = 0
    tell(target)
  })
  grid.addEventListener('pointerover', ({ target }) => {
    if (isMark(target)) tell(target)
  })
  const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 }
  grid.addEventListener('keydown', (event) => {
    const step = steps[event.key]
    if (!isMark(event.target) || step === undefined) return
    event.preventDefault()
    marks[marks.indexOf(event.target) + step]?.focus()
  })
}
