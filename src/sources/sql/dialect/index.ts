/** The dialect of a URL, with the driver that speaks it. */
import { driverModule } from '../../../databases/driver.js'
import { serverOf } from '../../../databases/server.js'
import { drivers, type Settings, schemeOf } from '../options.js'
import type { Dialect } from './dialect.js'
import { mysql } from './mysql.js'
import { postgres } from './postgres.js'
import { sqlite } from './sqlite.js'

export async function dialectOf(settings: Settings, baseDir: string): Promise<Dialect> {
  const driver = drivers[schemeOf(settings.url) ?? '']
  if (driver === undefined) return sqlite(settings, baseDir)
  const server = await serverOf(settings, baseDir, 'source')
  return driver === 'pg'
    ? postgres(settings, server, await driverModule(driver, baseDir, needer))
    : mysql(settings, server, await driverModule(driver, baseDir, needer))
}

const needer = 'The source sql'
