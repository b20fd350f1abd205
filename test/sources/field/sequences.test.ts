/** GeoJSON text sequences (RFC 8142): a separator in front of each value, which may go on over lines. */
import { describe, expect, test } from 'vitest'
import { read } from './read.js'

const feature = (name: string): object => ({
  type: 'Feature',
  geometry: { type: 'Point', coordinates: [7, 46] },
  properties: { name },
})
const RS = '\u001e'
const pretty = (name: string): string => `${RS}${JSON.stringify(feature(name), null, 1)}\n`
const short = (name: string): string => `${RS}${JSON.stringify(feature(name))}\n`
const plain = (name: string): string => short(name).slice(1)

describe('each value is a place', () => {
  test.each([
    ['on a line each', short('A') + short('B')],
    ['over lines', pretty('A') + pretty('B')],
    ['over lines that end as on Windows', (pretty('A') + pretty('B')).replaceAll('\n', '\r\n')],
    ['without a line end', (pretty('A') + pretty('B')).trimEnd()],
    ['both', short('A') + pretty('B')],
    ['behind a separator on a line of its own', `${RS}\n${plain('A')}${RS}\n${plain('B')}`],
    ['of which only the first has a separator', short('A') + plain('B')],
    ['where lists were joined', `${pretty('A')}\ufeff${short('B')}`],
  ])('%s', async (_, text) => {
    const { locations, reasons } = await read('a.geojsons', text, { format: 'ndjson' })
    expect(reasons).toEqual([])
    expect(locations).toMatchObject([{ city: 'A' }, { city: 'B' }])
  })
})

test('one that breaks off is not taken for a place, and costs no other', async () => {
  const broken = pretty('B').slice(0, -20)
  const among = await read('a.geojsons', `${pretty('A')}${broken}\n${pretty('C')}`)
  expect(among.locations).toMatchObject([{ city: 'A' }, { city: 'C' }])
  expect(among.reasons).toContainEqual(expect.stringContaining("isn't JSON"))
  await expect(read('a.geojsons', pretty('A') + broken)).rejects.toMatchObject({ exitCode: 78 })
})
