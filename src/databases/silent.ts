/** A logger for TypeORM, whose own one writes failed migrations to standard output, into the midst of --json. */
export const silent = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
}
