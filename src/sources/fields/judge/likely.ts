/** Guesses which of the unknown names candidates hold what a location needs, for hints. */
import { nearest } from '../../../errors/suggest.js'
import { withoutHidden } from '../../../words.js'
import { unitIn, wordsInName } from './units.js'

/** The fields that every location needs, and names that candidates stand for them. */
export const needs = [
  ['latitude', /(^|[._ ])lat|breite|^y$|\.y$/i],
  ['longitude', /(^|[._ ])(lon|lng)|länge|laenge|^x$|\.x$/i],
  ['city', /name|city|town|place|title|label|municipality|station|ort$|(^|[^a-z])nom([^a-z]|$)|naam|libell/i],
] as const

/** The name that most likely holds the field; never one that says that its values are something else. */
export function likelyFor(needed: string, names: readonly string[]): string | undefined {
  const candidates = names.filter((name) => (needed === 'city' ? !isCode(name) : unitOf(name, needed) === undefined))
  const best =
    needed === 'city' ? candidates.find((name) => /name|naam|libell|(^|[^a-z])nom([^a-z]|$)/i.test(name)) : undefined
  return best ?? candidates.find((name) => isLikely(name, needed)) ?? nearest(needed, candidates)
}

const isLikely = (name: string, needed: string): boolean =>
  needs.find(([each]) => each === needed)?.[1].test(withoutHidden(name)) === true

/** Whether these seem to be a place's names: of its name and its coordinates, in two values or in one. */
export function looksLikePlace(names: readonly string[]): boolean {
  const has = (needed: string): boolean => names.some((name) => isLikely(name, needed))
  const hasBoth = names.some((name) => /(^|\.)coordinates$/i.test(name))
  return has('city') && (hasBoth || (has('latitude') && has('longitude')))
}

const unitOf = (name: string, needed: string): ReturnType<typeof unitIn> =>
  needed === 'latitude' || needed === 'longitude' ? unitIn(name, needed) : undefined

/** An id is no name of a place: `Id_station`, `stationid`. */
const isCode = (name: string): boolean =>
  wordsInName(name).some((word) =>
    /^(ids?|nr|no|num)$|(station|place|city|town|^)s?(id|code|number|nummer)$/.test(word),
  )

/** A hint if a name says that it holds the coordinate in another unit than owm reads. */
export function otherUnit(needed: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    const unit = isLikely(name, needed) ? unitOf(name, needed) : undefined
    if (unit) return `"${name}" seems to hold ${unit.what}, and owm reads degrees north and east: ${unit.remedy}.`
  }
  return undefined
}
