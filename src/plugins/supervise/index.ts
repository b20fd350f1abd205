export { superviseSink } from './sink.js'
export { superviseSource } from './source.js'
export type { Terms } from './supervisor.js'
