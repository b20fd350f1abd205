export { superviseSink } from './sink.js'
export { minLocationsOf, superviseSource } from './source.js'
export type { Terms } from './supervisor.js'
