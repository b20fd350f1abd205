/**
 * A source of your own: the capitals along a line of longitude. Use it with
 *
 *   source: {use: ./capitals-source.mjs, east: 30}
 */
import { defineSource, z } from 'owm-producer'

const capitals = [
  ['Reykjavík', 64.15, -21.94],
  ['Accra', 5.56, -0.2],
  ['Oslo', 59.91, 10.75],
  ['Kinshasa', -4.33, 15.31],
  ['Cairo', 30.04, 31.24],
  ['Nairobi', -1.29, 36.82],
  ['Tashkent', 41.31, 69.28],
  ['Tokyo', 35.68, 139.69],
]

/** Locations per batch: few here, to show how a run resumes. */
const batchSize = 3

export default defineSource({
  name: 'capitals',
  description: 'some capitals, west of a line of longitude',
  options: z.strictObject({
    east: z.number().min(-180).max(180).default(180).describe('the line, in degrees'),
  }),
  open({ east }, { log }) {
    const chosen = capitals.filter(([, , longitude]) => longitude <= east)
    log.info({ capitals: chosen.length }, 'opened')
    return {
      total: chosen.length,
      async *read(resume) {
        for (let first = Number(resume ?? 0); first < chosen.length; first += batchSize) {
          const page = chosen.slice(first, first + batchSize)
          yield {
            locations: page.map(([city, latitude, longitude]) => ({ city, latitude, longitude })),
            resume: String(first + page.length),
            position: (index) => `capital ${first + index + 1}`,
          }
        }
      },
    }
  },
})
