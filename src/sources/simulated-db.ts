/** A database of places that doesn't exist: for trying owm, for tests and for benchmarks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { TransientError } from '../errors/index.js'
import { defineSource, type Location, type LocationBatch } from '../plugin.js'

const probability = z.number().min(0).max(1).default(0)
const options = z.strictObject({
  count: z.number().int().min(0).default(1_000).describe('how many locations there are'),
  pageSize: z.number().int().min(1).max(100_000).default(500).describe('locations that one query gives'),
  seed: z.number().int().min(0).max(0xffffffff).default(1).describe('the same seed gives the same locations'),
  latencyMs: z.number().min(0).default(0).describe('how long a query takes').meta({ unit: 'ms' }),
  failureRate: probability.describe('probability that a query fails, 0 to 1; a failed one is tried again'),
  hangRate: probability.describe('probability that a query is never answered, 0 to 1: source.timeoutMs ends it'),
  duplicateRate: probability.describe('probability that a row has the location of an earlier one, 0 to 1'),
  invalidRate: probability.describe('probability that a row is no location, 0 to 1: it is quarantined'),
})

export default defineSource({
  name: 'simulated-db',
  description: 'pages of made-up places, clustered as real ones are, the same ones for the same seed',
  options,
  open({ count, pageSize, seed, latencyMs, failureRate, hangRate, duplicateRate, invalidRate }, { signal, attempt }) {
    const place = placesOf(seed)
    let queries = 0
    const chance = (number: number, what: number, rate: number): boolean =>
      rate > 0 && mix(number, seed + what) / 2 ** 32 < rate
    // The first row is a good one, so that there is one to repeat.
    const repeats = (number: number): boolean => number > 0 && chance(number, 11, duplicateRate)
    const isInvalid = (number: number): boolean => number > 0 && chance(number, 12, invalidRate)

    function row(number: number): Location {
      if (isInvalid(number)) return { ...place(number), latitude: 90 + ((number % 100) + 1) / 10 }
      let same = number
      while (repeats(same) || isInvalid(same)) same = mix(same, seed + 13) % same
      return place(same)
    }
    const rowOf = duplicateRate > 0 || invalidRate > 0 ? row : place

    async function page(first: number): Promise<Location[]> {
      if (latencyMs > 0) await sleep(latencyMs, undefined, { signal })
      const query = ++queries
      if (mix(seed + first, query) / 2 ** 32 < failureRate)
        throw new TransientError(`the simulated query of locations ${first} to ${first + pageSize} failed`)
      if (chance(seed + first, 14 + query, hangRate)) await sleep(2 ** 31 - 1, undefined, { signal, ref: false })
      const rows: Location[] = []
      for (let number = first; number < Math.min(count, first + pageSize); number++) rows.push(rowOf(number))
      return rows
    }

    return {
      total: count,
      async *read(resume): AsyncGenerator<LocationBatch> {
        for (let first = resume === undefined ? 0 : Number(resume); first < count; first += pageSize) {
          const locations = await attempt(() => page(first))
          yield { locations, resume: String(first + locations.length), position: (index) => `row ${first + index + 1}` }
        }
      },
    }
  },
})

/** How a language makes names of places. In ASCII: other letters make a whole run cost half as much again, and benchmarks read these. */
interface Tongue {
  /** 8 words that stand before some of them. */
  readonly before: readonly string[]
  /** The name of a number from 0 to 2,047. */
  name(number: number): string
}

/** Out of 8 words before, and of 16 beginnings, 8 middles and 16 ends; `_` is a space and `-` alone is nothing. */
function tongue(before: string, first: string, middle: string, last: string): Tongue {
  const words = (list: string): string[] => list.split(' ').map((word) => (word === '-' ? '' : word.replace('_', ' ')))
  const [begin, inner, end] = [words(first), words(middle), words(last)]
  const names = new Array<string | undefined>(2_048).fill(undefined)
  return {
    before: words(before),
    name(number) {
      const known = names[number]
      if (known !== undefined) return known
      const name = [begin[number >>> 7], inner[(number >>> 4) & 7], end[number & 15]].join('')
      names[number] = name
      return name
    },
  }
}

const german = tongue(
  'Bad_ Neu_ Alt_ Gross_ Klein_ Ober- Unter- Sankt_',
  'Eichen Linden Birken Rosen Wald Stein Berg Koenig Muehl Schoen Gruen Alten Lauter Heiden Wolfs Bruecken',
  '- - - - - er n s',
  'burg dorf heim hausen stadt feld bach tal berg kirchen rode brueck furt au see walde',
)
const english = tongue(
  'New_ North_ South_ East_ West_ Upper_ Little_ Fort_',
  'Spring Oak Green River Clear Fair Stone Brook Maple Ash Wood Lake Mill Kings Cedar Hart',
  '- - - - er ing en s',
  'field ton ville wood ford port burgh ham land mouth dale view bridge haven stead ley',
)
const spanish = tongue(
  'San_ Santa_ Villa_ Puerto_ El_ La_ Los_ Nuevo_',
  'Mar Val Cas Alb Cor Mont Sal Tor Car Guad Pal Zar Ler Bel Cuer Sev',
  'a e i o an en il or',
  'dero talba lejo mon nada rique gosa cia tena bella verde rroyo cion dora lona vega',
)
const french = tongue(
  'Saint- Le_ La_ Mont_ Chatel- Vieux_ Grand_ Petit_',
  'Beau Clair Mar Chan Ver Lan Roche Bel Fon Char Mou Cour Vau Tre Par Bri',
  'e i a o en er ou ill',
  'ville court mont gny sac lieu nay fort sur teau bourg lac neuf vaux zac tin',
)
const slavic = tongue(
  'Nowa_ Stara_ Velka_ Mala_ Bela_ Gorna_ Dolna_ Nova_',
  'Kras Nov Vol Zel Dobr Bel Mir Rad Star Grad Brez Lip Pod Jel Tarn Chelm',
  'o e a i no ino ov un',
  'grad sk vo wice nik ov dorf polje slav gorsk vice brod leka in cow sko',
)
const asian = tongue(
  'Bei_ Nan_ Dong_ Xi_ Shin_ Kita_ Minami_ Hua_',
  'Chang Hang Guang Zheng Tai Kun Fuku Naga Yoko Saka Miya Shen Wu Ching Han Lan',
  '- - - - o i a ka',
  'zhou yang shan jing hai shima moto yama gawa ning cheng saki dong xing tou nan',
)
const indian = tongue(
  'Navi_ New_ Old_ Sri_ Ram_ Chhota_ Bara_ Uttar_',
  'Jai Ram Nag Fate Sulta Hari Kal Luck Indr Bhub Mur Ali Shah Gop Vija Man',
  'a i u e an ra wa ya',
  'pur nagar bad garh gaon pattan ganj wala kota dhi palli konda ra halli vati khand',
)
const african = tongue(
  'Port_ Kano_ Old_ New_ Umm_ Bir_ Ain_ Dar_',
  'Ba Ka Ma Nai Lu Za Mo Ki Oua Da Kin Abu Har Bu Lo Ny',
  'ga mba ro ri ndi sha ka du',
  'ra na ri si bo ku gou la za nga ja be dja wa ya mi',
)

/** Country, its middle (degrees), how far its towns spread around that (degrees), how it names them: the most populous first. */
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
 * lie around centres, normally distributed; how many a centre has follows Zipf's law, as does how many centres a country has.
 */
function placesOf(seed: number): (number: number) => Location {
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

/** `slots` numbers below `count`: 0 stands there most often, 1 half as often, 2 a third. */
function zipf(count: number, slots: number): Uint16Array {
  const total = Array.from({ length: count }, (_, rank) => 1 / (rank + 1)).reduce((sum, share) => sum + share, 0)
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

/** Two numbers to 32 evenly spread bits (the finaliser of MurmurHash3, public domain). */
function mix(a: number, b: number): number {
  let h = (Math.imul(a | 0, 0x9e3779b1) ^ Math.imul(b | 0, 0x85ebca6b)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
