/** What a database's URL has to look like. */

/** libpq's parameters that owm knows. */
export const urlParameters: readonly string[] = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host']

/**
 * Whether a URL names a database. Behind a password with a bare /, as in `postgres://user:12/34@host/name`, the user
 * would pass for the host, and the rest of the password for the database, which messages show: the @ tells.
 */
export function namesDatabase(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { pathname, searchParams, hash } = new URL(text)
  const unknown = [...searchParams].filter(([name]) => !urlParameters.includes(name))
  return pathname.length > 1 && ![pathname, hash, ...unknown.flat()].some((part) => part.includes('@'))
}
