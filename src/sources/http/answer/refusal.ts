/** Answers with a good status that say in their body that they are none. */
import type { Options } from '../options.js'
import { excerpt, isTree, type Tree, valueAt } from './tree.js'

export interface Refusal {
  /** What the server said. */
  readonly said: string
  /** Whether no retry helps: the request or the credentials are wrong. */
  readonly isLasting: boolean
}

/** What says so, whatever the case of its letters. */
const badStatus = /error|fail|denied|invalid|exceeded|over_|limit|unauthori[sz]ed|forbidden|unavailable|time[d_ ]*out/i
const lasting = /denied|unauthori[sz]ed|forbidden|invalid_?(request|key|token|api)/i

/** Undefined for a good answer. */
export function refusalIn(json: unknown, ok: Options['ok']): Refusal | undefined {
  if (ok) return notOk(json, ok)
  if (Array.isArray(json)) return onlyMessage(json)
  if (!isTree(json)) return undefined
  const tree = lowered(json)
  const code = [tree['status'], tree['code'], tree['cod'], tree['statuscode'], tree['status_code']].find(isBadCode)
  const status = tree['status']
  const isBad =
    code !== undefined ||
    tree['success'] === false ||
    tree['ok'] === false ||
    isSomething(tree['error']) ||
    isSomething(tree['errors']) ||
    (typeof status === 'string' && badStatus.test(status))
  if (!isBad) return undefined
  const said = [typeof status === 'string' || code !== undefined ? String(code ?? status) : '', messageIn(tree)]
  const words = excerpt([...new Set(said)].filter((part) => part !== '').join(': ')) || 'an error'
  const isClient = code !== undefined && [400, 401, 403, 404, 422].includes(Number(code))
  return { said: words, isLasting: isClient || lasting.test(words) }
}

function notOk(json: unknown, ok: NonNullable<Options['ok']>): Refusal | undefined {
  for (const [path, wanted] of Object.entries(ok)) {
    const value = valueAt(json, path)
    if ([wanted].flat().some((each) => String(each) === String(value))) continue
    const message = isTree(json) ? messageIn(lowered(json)) : ''
    const shown = value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value))
    return { said: excerpt(`${path} is ${shown}${message === '' ? '' : `: ${message}`}`), isLasting: false }
  }
  return undefined
}

/** `[{"message": …}]`, as the World Bank writes an error. */
function onlyMessage(json: readonly unknown[]): Refusal | undefined {
  const [only, ...others] = json
  if (others.length > 0 || !isTree(only) || Object.keys(only).join() !== 'message') return undefined
  return { said: excerpt(JSON.stringify(only['message'])), isLasting: true }
}

const lowered = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([key, value]) => [key.toLowerCase(), value]))

const isBadCode = (value: unknown): boolean =>
  (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) &&
  Number(value) >= 400 &&
  Number(value) < 600

const isSomething = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value)

/** The words of an error, wherever they usually stand. */
function messageIn(tree: Tree): string {
  const places = [
    'error_message',
    'errormessage',
    'message',
    'msg',
    'detail',
    'error',
    'errors',
    'error_description',
    'info',
  ]
  for (const place of places) {
    const value = tree[place]
    if (typeof value === 'string' && value !== '') return value
    if (!isSomething(value) || typeof value !== 'object') continue
    const inner: unknown = Array.isArray(value) ? value[0] : value
    const words = isTree(inner) ? messageIn(lowered(inner)) : String(inner)
    return words === '' ? (JSON.stringify(value) ?? '') : words
  }
  return ''
}
