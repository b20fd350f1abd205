/** How many items a request asks for at most, or an answer allows: one with just as many may be a first page. */
import { limitNames } from '../../signs/earlier.js'
import type { Member } from '../../signs/members.js'
import { wholeOf } from '../../signs/tree.js'

export interface Limit {
  /** Its parameter in source.url, its path in the answer or its header. */
  readonly at: string
  readonly most: number
  /** Whether its name can mean nothing else. */
  readonly isSure: boolean
}

const things = 'results?|records?|rows|items|features|entries|hits|places|stations'
const sureNames = new RegExp(
  `^((page|pagination|${things})?limit|rows|(page|pagination)size|(${things})?perpage|` +
    `max(${things})|resultrecordcount)$`,
)
const otherNames = /^(count|size|top|max|n|num|number|first|take|length|results|items|rpp|pagelen)$/

export const limitsIn = (members: readonly Member[], { searchParams }: URL): Limit[] => [
  ...[...searchParams].flatMap(([key, value]) => asked(key, value, searchParams)),
  ...members.flatMap((member) => allowed(member)),
]

function asked(key: string, value: string, query: URLSearchParams): Limit[] {
  const name = key.toLowerCase().replace(/[^a-z0-9]/g, '')
  const isWfs = [...query].some(([each, of]) => /^service$/i.test(each) && /^wfs$/i.test(of))
  // OData's, FHIR's and OGC's own.
  const isSure = sureNames.test(name) || key === '$top' || key === '_count' || (isWfs && name === 'count')
  const most = wholeOf(value) ?? 0
  return most > 1 && (isSure || otherNames.test(name)) ? [{ at: `"${key}" in source.url`, most, isSure }] : []
}

function allowed({ at, key, name, value, isNear }: Member): Limit[] {
  const most = wholeOf(value) ?? 0
  const isHeader = key === undefined
  if (most < 2 || !isNear || !(isHeader ? /^max/.test(name) && sureNames.test(name) : limitNames.test(name))) return []
  return [{ at, most, isSure: isHeader }]
}
