/** Made-up places, by their numbers. */
import { sumOf } from '../../lists.js'
import type { Location } from '../../plugin.js'
import { mix } from './mix.js'
import { african, asian, english, french, german, indian, slavic, spanish, type Tongue } from './tongues.js'

/**
 * Country, its centre and the spread of its towns around it (degrees), and how it names them: the most populous first.
 */
const countries: readonly (readonly [
  country: string,
  latitude: number,
  longitude: number,
  spread: number,
  tongue: Tongue,
])[] = [
  ['CN', 32, 112, 5, asian],
  ['IN', 22, 79, 4.5, indian],
  ['US', 38, -92, 6, english],
  ['ID', -6, 110, 2.5, indian],
  ['PK', 30, 71, 2.5, indian],
  ['NG', 9, 7.5, 2, african],
  ['BR', -17, -47, 6, spanish],
  ['RU', 55, 45, 5, slavic],
  ['MX', 21, -101, 3, spanish],
  ['JP', 36, 138, 2, asian],
  ['ET', 9, 39, 2, african],
  ['EG', 29, 31, 1.5, african],
  ['CD', -4, 22, 4, african],
  ['DE', 51, 10, 1.6, german],
  ['GB', 53, -1.5, 1.5, english],
  ['FR', 47, 2.5, 2, french],
  ['ZA', -28, 26, 3, english],
  ['ES', 40, -4, 2, spanish],
  ['PL', 52, 19.5, 1.5, slavic],
  ['CA', 47, -79, 4, french],
  ['AR', -33, -61, 4, spanish],
  ['AU', -34, 147, 3, english],
  ['AT', 47.7, 14.5, 0.8, german],
  ['NZ', -40, 176, 1.8, english],
]

/** Towns with places around them; the first have by far the most. */
const centreCount = 512
const slotCount = 4_096
const regions = ['North', 'South', 'East', 'West', 'Central', 'Upper', 'Lower', 'Inner']
const shapes = ['Province', 'Plains', 'Highlands', 'Coast', 'Valley', 'Lakes', 'Hills', 'District']

/**
 * Makes the function that gives a place by its number: pure arithmetic, so that any page can be made at once. Places
 * lie around centres, normally distributed. How many places a centre has follows Zipf's law, as does how many
 * centres a country has.
 */
export function placesOf(seed: number): (number: number) => Location {
  const countryOf = zipf(countries.length, centreCount)
  const centres = Array.from({ length: centreCount }, (_, index) => {
    const [country, latitude, longitude, spread, tongue] =
      countries[countryOf[mix(index, seed + 3) % centreCount] ?? 0] ?? countries[0] ?? never()
    const words = mix(index, seed + 6)
    return {
      country,
      tongue,
      latitude: latitude + normal(mix(index, seed + 4)) * spread,
      longitude: longitude + normal(mix(index, seed + 5)) * spread * 1.5,
      radius: 0.05 + (words % 64) / 128,
      state: `${regions[(words >>> 6) & 7]} ${shapes[(words >>> 9) & 7]}`,
    }
  })
  const centreOf = zipf(centreCount, slotCount)

  return (number) => {
    const a = mix(number, seed)
    const b = mix(number, seed + 1)
    const c = Math.imul(b ^ (b >>> 15), 0x2c1b3c6d)
    const centre = centres[centreOf[a & (slotCount - 1)] ?? 0] ?? never()
    const { before } = centre.tongue
    const name = centre.tongue.name((a >>> 12) & 2_047)
    return {
      id: number + 1,
      latitude: Math.round((centre.latitude + normal(b) * centre.radius) * 10_000) / 10_000,
      longitude: Math.round(around(centre.longitude + normal(c ^ (c >>> 13)) * centre.radius * 1.5) * 10_000) / 10_000,
      city: a >>> 29 === 0 ? `${before[(a >>> 23) & 7]}${name}` : name,
      state: centre.state,
      country: centre.country,
    }
  }
}

/** `slots` numbers below `count`: 0 is the most frequent, 1 half as frequent, 2 a third. */
function zipf(count: number, slots: number): Uint16Array {
  const total = sumOf(
    Array.from({ length: count }, (_, rank) => 1 / (rank + 1)),
    (share) => share,
  )
  const table = new Uint16Array(slots)
  let rank = 0
  let filled = 1 / total
  for (let slot = 0; slot < slots; slot++) {
    while (slot / slots >= filled && rank < count - 1) filled += 1 / (++rank + 1) / total
    table[slot] = rank
  }
  return table
}

/** About normally distributed, -3.5 to 3.5: the sum of four bytes. */
function normal(bits: number): number {
  const pairs = (bits & 0x00ff00ff) + ((bits >>> 8) & 0x00ff00ff)
  return ((pairs & 0xffff) + (pairs >>> 16) - 510) / 148
}

/** A longitude within -180..180. */
const around = (degrees: number): number => (degrees > 180 ? degrees - 360 : degrees < -180 ? degrees + 360 : degrees)

function never(): never {
  throw new Error('there is a country and a centre for every number')
}
