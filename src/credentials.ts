/** Which names hold a secret, and what a URL has of them. */

/** Names of keys and variables that hold a secret, also where nobody marked them. */
const secretName = /passw|passphrase|pwd|secret|token|api[-_]?key|authorization|credential|private[-_]?key/i

export const isSecretName = (name: string): boolean => secretName.test(name)

/** Parameters of a query that may hold a secret, besides those with its name: they aren't shown. */
const secretParameter = /^(.*key|appid|app_id|sig|signature|auth|access|code|session)$/i
/** Whether a parameter of a query may hold a secret. */
export const holdsSecret = (name: string): boolean => isSecretName(name) || secretParameter.test(name)

/** Those of them that choose no locations, as `code=NO`, `sort_key=name` or `access=public` may. */
const credential = /^(((access|account|subscription)[-_]?)?key|appid|app_id|sig|signature|auth)$/i
/** Whether another value of a query's parameter gives the same locations. */
const isCredential = (name: string): boolean => isSecretName(name) || credential.test(name)

/** What must not be shown of a URL: its password, decoded and as written, and what its query has of secrets. */
export function secretsInUrl(text: string): string[] {
  if (!URL.canParse(text)) return []
  const { password, searchParams } = new URL(text)
  const parameters = [...searchParams].filter(([name]) => holdsSecret(name))
  return [...(password === '' ? [] : [password, percentDecoded(password)]), ...parameters.map(([, value]) => value)]
}

/**
 * A URL without its password and its query's keys and tokens, by their names; any other text as it is: what it has in
 * common with itself once they are changed.
 */
export function withoutCredentials(text: string, isOne = isCredential): string {
  if (secretsInUrl(text).length === 0) return text
  const url = new URL(text)
  url.password = ''
  for (const name of [...url.searchParams.keys()]) if (isOne(name)) url.searchParams.delete(name)
  return url.href
}

/** A part of a URL as it is meant; where it isn't well encoded, as it is written. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
