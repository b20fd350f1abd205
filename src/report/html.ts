/** The page: template, style, script and data in one file. It makes no requests. */
import { hash } from 'node:crypto'
import type { ReportData } from './data.js'
import { escaped } from './places.js'

export interface PageParts {
  /** HTML with `{{policy}}`, `{{style}}`, `{{data}}` and `{{script}}`. */
  template: string
  style: string
  script: string
}

/** @param redact takes secrets out of a text */
export function pageOf(data: ReportData, parts: PageParts, redact: (text: string) => string): string {
  const { template, style, script } = parts
  const policy = [
    "default-src 'none'",
    `script-src '${digestOf(script)}'`,
    `style-src '${digestOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const values: Readonly<Record<string, string>> = { policy, style, script, data: jsonOf(data, redact) }
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '')
}

/** The policy's source expression for exactly this text. */
const digestOf = (text: string): string => `sha256-${hash('sha256', text, 'base64')}`

/** Columns of numbers hold no secret, and are left as they are. */
function jsonOf(data: ReportData, redact: (text: string) => string): string {
  const json = JSON.stringify(data, function (this: unknown, _, value: unknown) {
    return typeof value === 'string' && this !== data.places ? redact(value) : value
  })
  return escaped(json)
}
