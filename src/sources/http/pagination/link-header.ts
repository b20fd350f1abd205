/** The header `Link` (RFC 8288). */
import { leadsToNext, relationsOf } from '../../signs/links.js'

/** `<target>`, then parameters, whose values may be quoted strings with any of `<>,;` in them. */
const link = /[\s,]*<([^>]*)>((?:\s*;\s*[^\s=;,"<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)[\s;]*(?:,[\s,]*|$)/y
const parameter = /;\s*([^\s=;,"<>]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?/g

/**
 * The target of the first link to the next page; undefined if there is none. Throws SyntaxError for an invalid list of
 * links: the one to the next page might come after the fault.
 */
export function nextLink(header: string): string | undefined {
  let target: string | undefined
  for (let at = 0; at < header.length; at = link.lastIndex) {
    link.lastIndex = at
    const [, to, parameters = ''] = link.exec(header) ?? []
    if (to === undefined) throw new SyntaxError(`no link at character ${at + 1}`)
    if (leadsToNext({ relations: relationsIn(parameters) })) target ??= to
  }
  return target
}

/** The relations in the first `rel`; a second one is ignored (RFC 8288, 3.3). */
function relationsIn(parameters: string): string[] {
  for (const [, name = '', value = ''] of parameters.matchAll(parameter))
    if (name.toLowerCase() === 'rel') return relationsOf(value.replace(/^"(.*)"$/s, '$1').replace(/\\(.)/gs, '$1'))
  return []
}
