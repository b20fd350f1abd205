/** The report's page: reads what stands in it, and shows it. */
import { placeStates } from '../data.js'
import { placesOf, readData } from './decode.js'
import { element, foreign, part } from './dom.js'
import { WorldMap } from './map/map.js'
import { showPlan, showPlots } from './runs/plots.js'
import { showTimeline } from './runs/timeline.js'
import { showLegend, showSummary } from './summary.js'
import { showPlaces, showPlanTable, showReasons, showRuns } from './tables.js'
import { setUpTheme } from './theme.js'
import { count } from './words.js'

setUpTheme()
const data = readData()
const places = placesOf(data)
const countOf = placeStates.map(() => 0)
for (const state of places.states) countOf[state] = (countOf[state] ?? 0) + 1
showSummary(data, countOf)
showLegend(places, countOf, data.notShown)
const map = new WorldMap(places)
showPlaces(
  places,
  (isShown) => map.filter(isShown),
  (index) => {
    map.choose(index, true)
    part('map').scrollIntoView({ block: 'nearest' })
  },
)
showTimeline(data)
showPlots(data)
showRuns(data)
showReasons(data)
if (data.plan) {
  const { cron, timezone, tasks, calls, cost, currency, over } = data.plan
  const facts = [
    `${cron} (${timezone})`,
    `${count(tasks)} tasks in 24 hours`,
    ...(calls === null ? [] : [`${count(calls)} calls`]),
    ...(cost === null ? [] : [`${cost} ${currency ?? ''}`.trim()]),
  ]
  part('plan-facts').replaceChildren(foreign(facts.join(' · ')))
  part('plan-facts').append(...over.map((limit) => element('p', { class: 'over' }, limit)))
  showPlan(data.plan)
  showPlanTable(data.plan)
} else part('plan').hidden = true

// For benchmarks: time until the page is usable, in milliseconds.
document.documentElement.dataset['usableMs'] = String(Math.round(performance.now()))
