/** The header `Link` (RFC 8288). */

/** `<target>`, then parameters, whose values may be quoted strings with any of `<>,;` in them. */
const link = /[\s,]*<([^>]*)>((?:\s*;\s*[^\s=;,"<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)[\s;]*(?:,[\s,]*|$)/y
const parameter = /;\s*([^\s=;,"<>]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?/g

/**
 * The target of the first link with a relation, undefined where there is none. Throws SyntaxError for what is no
 * list of links: what stands behind the fault might be the link.
 */
export function linkTo(relation: string, header: string): string | undefined {
  let target: string | undefined
  for (let at = 0; at < header.length; at = link.lastIndex) {
    link.lastIndex = at
    const [, to, parameters = ''] = link.exec(header) ?? []
    if (to === undefined) throw new SyntaxError(`no link at character ${at + 1}`)
    if (relationsIn(parameters).includes(relation)) target ??= to
  }
  return target
}

/** The values of the first `rel`, in lower case; a second one is ignored (RFC 8288, 3.3). */
function relationsIn(parameters: string): string[] {
  for (const [, name = '', value = ''] of parameters.matchAll(parameter))
    if (name.toLowerCase() === 'rel')
      return value
        .replace(/^"(.*)"$/s, '$1')
        .replace(/\\(.)/gs, '$1')
        .toLowerCase()
        .split(/\s+/)
  return []
}
