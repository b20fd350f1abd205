/** SQLite's driver. An install script, which npm may not have run, builds or fetches its binary. */
import { createRequire } from 'node:module'
import { ConfigurationError, codeOf, toError } from '../errors/index.js'

/** TypeORM would make it verbose: that costs a stack trace for each statement. */
const neverVerbose = (module: typeof import('sqlite3')) => ({
  ...module,
  verbose() {
    return this
  },
})

let loaded: ReturnType<typeof neverVerbose> | undefined

/** Loaded on first use: commands that open no database work without it. Throws ConfigurationError. */
export function sqlite3(): ReturnType<typeof neverVerbose> {
  loaded ??= neverVerbose(load())
  return loaded
}

function load(): typeof import('sqlite3') {
  try {
    return createRequire(import.meta.url)('sqlite3')
  } catch (thrown) {
    const { message } = toError(thrown)
    const why =
      codeOf(thrown) === 'ERR_DLOPEN_FAILED'
        ? `can't be loaded: ${message}`
        : "isn't there: npm did not run its install script"
    throw new ConfigurationError(`The binary of sqlite3 ${why}.`, {
      hint: 'Install owm again with the flag `--allow-scripts=sqlite3`, which npm 11 and newer need.',
      cause: thrown,
    })
  }
}
