/** The sink of a simulation, as a third party's plugin: the stream lies in the process (scene.ts). */
import { defineSink, z } from '../../../dist/index.js'

export default defineSink({
  name: 'year-sink',
  description: 'the stream of a simulation',
  options: z.strictObject({}),
  open: () => globalThis[Symbol.for('owm.test.year')].openSink(),
})
