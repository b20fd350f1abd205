/** Loads a database's driver: an optional package, which the user installs. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, codeOf } from '../errors/index.js'
import { mustBeTrusted } from '../trust.js'

/**
 * The package that is found from the configuration's folder, or else the one beside owm.
 *
 * @param needer for messages: `The source sql`
 * @throws ConfigurationError if there is none, or if another user could have put it there
 */
export async function driverModule<Driver>(name: 'pg' | 'mysql2', baseDir: string, needer: string): Promise<Driver> {
  const beside = join(baseDir, 'owm.js')
  for (const place of [beside, import.meta.url]) {
    let file: string
    try {
      file = createRequire(place).resolve(name)
    } catch (error) {
      if (codeOf(error) === 'MODULE_NOT_FOUND') continue
      throw error
    }
    // guard: driver-trusted
    if (place === beside) await mustBeTrusted(file, `The package ${name}`) // owm itself runs from the other place
    const module: { default: Driver } = await import(pathToFileURL(file).href)
    return module.default
  }
  throw new ConfigurationError(
    `${needer} needs the package ${name} for this database, and neither ${baseDir} nor owm has it.`,
    {
      hint: `Install it: \`npm install ${name}\`, where owm is installed or beside the configuration.`,
    },
  )
}
