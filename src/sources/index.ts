/** The built-in sources: loaded only when used. */
export const sources = {
  'static-list': () => import('./static-list.js'),
  http: () => import('./http.js'),
  'simulated-db': () => import('./simulated-db.js'),
  sql: () => import('./sql.js'),
}
