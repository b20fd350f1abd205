/** How fast the runs were, how late their slots were delivered, and what the coming ones bring. */
import uPlot from 'uplot'
import type { ReportData, ReportPlan } from '../../data.js'
import { colour, element, part } from '../dom.js'
import { count, duration, plural, time } from '../words.js'
import { lagOf, rateOf, summaryOf } from './figures.js'

interface Plot {
  readonly title: string
  /** What a screen reader says in its place. */
  readonly text: string
  /** Seconds since 1970, ascending; null where nothing is known. */
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
  readonly isBars?: boolean
  /** Between two lines of the scale; any round number if not given. */
  readonly incrs?: readonly number[]
  words(value: number): string
}

export function showPlots({ runs }: ReportData): void {
  const whole = runs.filter(({ state }) => state === 'done').toSorted((a, b) => Date.parse(a.slot) - Date.parse(b.slot))
  const times = whole.map(({ slot }) => Date.parse(slot) / 1000)
  const known = (value: number): number | null => (Number.isNaN(value) ? null : value)
  const perSecond = (value: number): string => `${count(Math.round(value))}/s`
  const [rates, lags] = [whole.map(rateOf), whole.map(lagOf)]
  const plot = (title: string, about: string, values: number[], more: Pick<Plot, 'words' | 'incrs'>): void => {
    const text = `${title}, ${about}: ${summaryOf(values, more.words) ?? 'not known yet'}`
    draw(part('plots'), { title, text, times, values: values.map(known), ...more })
  }
  plot('Rate', 'locations read a second', rates, { words: perSecond })
  plot('Lag', 'from the slot until all of it was delivered', lags, { words: duration, incrs: seconds })
}

export function showPlan({ slots, tasks, calls }: ReportPlan): void {
  const called = calls === null ? '' : `, ${count(calls)} calls`
  const text = `${plural(slots.length, 'slot')}, ${plural(tasks, 'task')}${called}`
  draw(part('plan-plot'), {
    title: 'Tasks',
    text: `Tasks of each coming slot: ${text}`,
    isBars: true,
    times: slots.map(({ slot }) => Date.parse(slot) / 1000),
    values: slots.map((slot) => slot.tasks),
    words: (value) => count(Math.round(value)),
  })
}

const heightOfPlot = 180

/** Seconds between two lines of a scale of durations, or of times. */
const seconds = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800]

function draw(box: HTMLElement, plot: Plot): void {
  const canvas = element('div', { class: 'plot', role: 'img', 'aria-label': `${plot.text}. The table has each value.` })
  box.append(element('figure', {}, element('figcaption', {}, plot.text), canvas))
  const size = (): { width: number; height: number } => ({
    width: Math.max(200, canvas.clientWidth),
    height: heightOfPlot,
  })
  const chart = new uPlot({ ...optionsOf(plot), ...size() }, [[...plot.times], [...plot.values]], canvas)
  new ResizeObserver(() => chart.setSize(size())).observe(canvas)
  document.addEventListener('themechange', () => chart.redraw(false, true))
}

function optionsOf(plot: Plot): Omit<uPlot.Options, 'width' | 'height'> {
  const axis = {
    stroke: () => colour('soft'),
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  const bars = plot.isBars ? uPlot.paths.bars?.({ size: [0.7, 40] }) : undefined
  return {
    scales: {
      x: { range: (_, least, most) => padded(least, most, plot.times.length) },
      y: { range: (_, __, most) => [0, (most || 1) * 1.1] },
    },
    axes: [
      { ...axis, space: 64, incrs: seconds.slice(8), values: (_, ticks, __, ___, step) => ticks.map(clock(step)) },
      { ...axis, size: 60, ...(plot.incrs && { incrs: [...plot.incrs] }), values: (_, ticks) => ticks.map(plot.words) },
    ],
    series: [
      { label: 'Slot (UTC)', value: (_, at) => (at === null ? '' : time(new Date(at * 1000).toISOString())) },
      {
        label: plot.title,
        value: (_, value) => (value === null ? '' : plot.words(value)),
        stroke: () => colour('delivered'),
        fill: () => colour(plot.isBars ? 'delivered' : 'shade'),
        width: 1.5,
        points: { show: plot.times.length < 60 && !plot.isBars, size: 5, fill: () => colour('delivered') },
        ...(bars && { paths: bars }),
      },
    ],
    cursor: { drag: { x: false, y: false } },
  }
}

/** Words for a time on the axis: the day where one begins. */
function clock(step: number): (seconds: number) => string {
  return (seconds) => {
    const [day = '', hour = ''] = new Date(seconds * 1000).toISOString().slice(5, 16).split('T')
    return step >= 86_400 || hour === '00:00' ? day : hour
  }
}

/** Room for half a step at both ends; an hour around a single time. */
function padded(least: number, most: number, count: number): [number, number] {
  const half = count < 2 ? 3_600 : (most - least) / (count - 1) / 2
  return [least - half, most + half]
}
