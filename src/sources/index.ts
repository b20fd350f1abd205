/** The built-in sources: loaded only when used. */
export const sources = {
  'static-list': () => import('./static-list/index.js'),
  http: () => import('./http/index.js'),
  'simulated-db': () => import('./simulated-db/index.js'),
  sql: () => import('./sql/index.js'),
}

/** What a database has, for whoever writes the options of `sql`. */
export const sqlCatalogue = () => import('./sql/catalogue.js')
