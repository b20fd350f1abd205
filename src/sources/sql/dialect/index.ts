/** The dialect of a URL, with the driver that speaks it. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, codeOf } from '../../../errors/index.js'
import { drivers, type Settings, schemeOf } from '../options.js'
import { serverOf } from '../server.js'
import type { Dialect } from './dialect.js'
import { mysql } from './mysql.js'
import { postgres } from './postgres.js'
import { sqlite } from './sqlite.js'

export async function dialectOf(settings: Settings, baseDir: string): Promise<Dialect> {
  const driver = drivers[schemeOf(settings.url) ?? '']
  if (driver === undefined) return sqlite(settings, baseDir)
  const server = await serverOf(settings, baseDir)
  return driver === 'pg'
    ? postgres(settings, server, await driverModule(driver, baseDir))
    : mysql(settings, server, await driverModule(driver, baseDir))
}

/** The user's own package, found from the configuration's folder, or the one beside owm. */
async function driverModule<Driver>(name: 'pg' | 'mysql2', baseDir: string): Promise<Driver> {
  for (const place of [join(baseDir, 'owm.js'), import.meta.url]) {
    let file: string
    try {
      file = createRequire(place).resolve(name)
    } catch (error) {
      if (codeOf(error) === 'MODULE_NOT_FOUND') continue
      throw error
    }
    const module: { default: Driver } = await import(pathToFileURL(file).href)
    return module.default
  }
  throw new ConfigurationError(
    `The source sql needs the package ${name} for this database, and neither ${baseDir} nor owm has it.`,
    {
      hint: `Install it: \`npm install ${name}\`, where owm is installed or beside the configuration.`,
    },
  )
}
