/**
 * The source of a simulation: a list of three places, one a page, that may fail or take its time (scene.ts). With a
 * cadence the first one is due in each run.
 */
import { defineSource, z } from '../../../dist/index.js'

const cities = { Berlin: '', Delhi: '6h', Oslo: '30m' }
const places = Object.entries(cities).map(([city, every], index) => ({
  id: city,
  city,
  latitude: index,
  longitude: index,
  every,
}))

export default defineSource({
  name: 'year-source',
  description: 'three places',
  options: z.strictObject({}),
  open: () => ({
    async *read(resume) {
      for (let page = Number(resume ?? 0); page < places.length; page++) {
        globalThis[Symbol.for('owm.test.year')].beforePage(page)
        yield { locations: [places[page]], resume: String(page + 1), position: () => `place ${page + 1}` }
      }
    },
  }),
})
