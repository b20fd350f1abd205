/** SQLite's driver. An install script, which npm may not have run, builds or fetches its binary. */
import { createRequire } from 'node:module'
import { ConfigurationError, codeOf, toError } from '../errors/index.js'

export const sqlite3 = load()

/** For TypeORM, which would make it verbose: that costs a stack trace for each statement. */
export const driver = {
  ...sqlite3,
  verbose() {
    return this
  },
}

/** Throws ConfigurationError. */
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
