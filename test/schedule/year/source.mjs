/** The source of a simulation: a list of three places, one a page, that may fail or take its time (scene.ts). */
import { defineSource, z } from '../../../dist/index.js'

const places = ['Berlin', 'Delhi', 'Oslo'].map((city, index) => ({ id: city, city, latitude: index, longitude: index }))

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
