/** Which of the names that mean nothing to owm may mean what a location needs: for hints. */
import { nearest } from '../../../errors/suggest.js'
import { withoutHidden } from '../../../words.js'
import { unitIn, wordsOf } from './units.js'

/** What every location needs, and names that may stand for it. */
export const needs = [
  ['latitude', /(^|[._ ])lat|breite|^y$|\.y$/i],
  ['longitude', /(^|[._ ])(lon|lng)|länge|laenge|^x$|\.x$/i],
  ['city', /name|city|town|place|title|label|municipality|station|ort$|(^|[^a-z])nom([^a-z]|$)|naam|libell/i],
] as const

/** The name that most likely means what is needed: none that says that its values are something else. */
export function likelyFor(needed: string, names: readonly string[]): string | undefined {
  const may = names.filter((name) => (needed === 'city' ? !isCode(name) : unitOf(name, needed) === undefined))
  const best =
    needed === 'city' ? may.find((name) => /name|naam|libell|(^|[^a-z])nom([^a-z]|$)/i.test(name)) : undefined
  return best ?? may.find((name) => isLikely(name, needed)) ?? nearest(needed, may)
}

const isLikely = (name: string, needed: string): boolean =>
  needs.find(([each]) => each === needed)?.[1].test(withoutHidden(name)) === true

const unitOf = (name: string, needed: string): ReturnType<typeof unitIn> =>
  needed === 'latitude' || needed === 'longitude' ? unitIn(name, needed) : undefined

/** An id is no name of a place: `Id_station`, `stationid`. */
const isCode = (name: string): boolean =>
  wordsOf(name).some((word) => /^(ids?|nr|no|num)$|(station|place|city|town|^)s?(id|code|number|nummer)$/.test(word))

/** A hint where a name says which coordinate it holds, but counted in another way than owm reads it. */
export function otherUnit(needed: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    const unit = isLikely(name, needed) ? unitOf(name, needed) : undefined
    if (unit) return `"${name}" seems to hold ${unit.what}, and owm reads degrees north and east: ${unit.remedy}.`
  }
  return undefined
}
