/** The built-in sinks: loaded only when used. */
export const sinks = {
  'redis-stream': () => import('./redis-stream/index.js'),
  postgres: () => import('./postgres/index.js'),
  jsonl: () => import('./jsonl/index.js'),
}
