/** A logger for TypeORM: its own writes failed migrations to standard output, which would break --json. */
export const silent = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
}
