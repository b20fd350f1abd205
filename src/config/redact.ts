/** Secrets are kept out of whatever is printed. */

/**
 * Makes the function that takes secrets out of whatever is about to be shown:
 * the given values, and user names and passwords in any URL but the one that
 * shows where they go, `redis://user:password@host`.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(
    secrets
      .filter((secret) => secret.length > 3)
      .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]),
  )
  // The longest first, so that a secret which contains another one goes as a whole.
  const values = [...forms].sort((a, b) => b.length - a.length)
  return (text) =>
    values
      .reduce((rest, value) => rest.replaceAll(value, '***'), text)
      .replace(/([a-z][a-z0-9+.-]*:\/\/)(?!user:password@)[^\s/@"']*@/gi, '$1***@')
}

/** The password of a URL, decoded and as written; nothing where there is none. */
export function passwordsIn(text: string): string[] {
  if (!URL.canParse(text)) return []
  const { password } = new URL(text)
  if (password === '') return []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}
