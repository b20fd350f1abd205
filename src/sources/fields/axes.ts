/** Finds latitude and longitude among names: both of one level, so that no location mixes two places. */
import type { Axis } from './degrees.js'
import { synonyms } from './synonyms.js'

interface Candidate {
  readonly index: number
  /** The path of what holds it: `coord.` of coord.lat. */
  readonly level: string
  /** The name with its axis blanked out: the same for geolat and geolng. */
  readonly kind: string
}

const levelOf = (name: string): string => name.slice(0, name.lastIndexOf('.') + 1)

const kindOf = (name: string): string =>
  name
    .replace(/(lat|long)itude/, '=')
    .replace(/lat|long|lng|lon/, '-')
    .replace(/\.[01]$/, '.')

/**
 * The index of each axis: of the first level that has both, preferably two of one kind; of a single axis if no level
 * has both. If one axis is configured, the other one of its level, or else the first.
 *
 * @param names in the form of the synonyms
 * @param chosen owm's name -> the source's own
 * @param isFree whether the name at an index may be taken
 */
export function axesIn(
  names: readonly string[],
  chosen: Readonly<Record<string, string>>,
  isFree: (index: number) => boolean,
): readonly (readonly [Axis, number])[] {
  const candidates = (axis: Axis): Candidate[] =>
    (synonyms[axis] ?? []).flatMap((name) => {
      const index = names.findIndex((each, at) => each === name && isFree(at))
      return index < 0 ? [] : [{ index, level: levelOf(name), kind: kindOf(name) }]
    })
  const { latitude, longitude } = chosen
  if (latitude !== undefined && longitude !== undefined) return []
  const own = latitude ?? longitude
  if (own !== undefined) {
    const other = latitude === undefined ? 'latitude' : 'longitude'
    const all = candidates(other)
    const best = all.find(({ level }) => level === levelOf(own.trim().toLowerCase())) ?? all[0]
    return best ? [[other, best.index]] : []
  }
  const [latitudes, longitudes] = [candidates('latitude'), candidates('longitude')]
  const pairs = latitudes.flatMap((one) =>
    longitudes.filter(({ level }) => level === one.level).map((other) => [one, other] as const),
  )
  const here = pairs.filter(([{ level }]) => level === pairs[0]?.[0].level)
  const best = here.find(([one, other]) => one.kind === other.kind) ?? here[0]
  if (best)
    return [
      ['latitude', best[0].index],
      ['longitude', best[1].index],
    ]
  const [alone] = latitudes
  return alone ? [['latitude', alone.index]] : longitudes.slice(0, 1).map(({ index }) => ['longitude', index])
}
