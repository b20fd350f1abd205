/** Answers with a good status that say in their body that they are none. */

import { exactJson } from '../../tasks/json/exact.js'
import { isTree, type Tree } from '../../tasks/json/tree.js'
import { oneLine, shapeOf, valueAt, wholeOf } from './tree.js'

/** The values that a good answer has, by their paths. */
type Wanted = Readonly<Record<string, unknown>>

export interface Refusal {
  /** What the server said. */
  readonly said: string
  /** Whether no retry helps: the request or the credentials are wrong. */
  readonly isLasting: boolean
}

/** What a status says then, whatever the case of its letters. */
const badStatus = /error|fail|denied|invalid|exceeded|over_|limit|unauthori[sz]ed|forbidden|unavailable|time[d_ ]*out/i
const badResult = /^(fail(ed|ure)?|error|false|ko|nok)$/i
const badRemark = /error|timed? ?out|exceeded/i
const lasting = /denied|unauthori[sz]ed|forbidden|invalid_?(request|key|token|api)/i

/** What an answer may have around its list, beside it: the error stands in there, too. */
const envelopes = ['meta', 'status', 'header', 'head', 'response', 'result', 'info', 'metadata', '_shards']

/** Undefined for a good answer. */
export function refusalIn(json: unknown, ok?: Wanted): Refusal | undefined {
  if (ok) return notOk(json, ok)
  if (Array.isArray(json)) return onlyMessage(json)
  if (!isTree(json)) return undefined
  const tree = lowered(json)
  const inner = envelopes.flatMap((name) => {
    const envelope = tree[name]
    return isTree(envelope) ? [lowered(envelope)] : []
  })
  for (const each of [tree, ...inner]) {
    const refusal = refusalOf(each)
    if (refusal) return refusal
  }
  return undefined
}

function refusalOf(tree: Tree): Refusal | undefined {
  const code = ['status', 'code', 'cod', 'statuscode', 'status_code'].map((name) => tree[name]).find(isBadCode)
  const { status } = tree
  const mark = markIn(tree)
  if (code === undefined && mark === undefined) return undefined
  const said = [
    typeof status === 'string' || code !== undefined ? String(code ?? status) : '',
    messageIn(tree),
    failedIn(tree),
  ]
  const words = oneLine([...new Set(said)].filter((part) => part !== '').join(': ') || mark || 'an error')
  const isClient = code !== undefined && [400, 401, 403, 404, 422].includes(Number(code))
  return { said: words, isLasting: isClient || lasting.test(words) }
}

/** The usual mark of an error that is there, such as `success is false`; undefined without one. */
function markIn(tree: Tree): string | undefined {
  const matches = (name: string, bad: RegExp): boolean => typeof tree[name] === 'string' && bad.test(tree[name])
  // GeoNames has {"status": {"message": …, "value": 18}}.
  const isNumbered = Number(tree['value']) > 0 && typeof tree['message'] === 'string'
  const name =
    ['success', 'ok'].find((name) => tree[name] === false || tree[name] === 0) ??
    // What it got so far, says Elasticsearch, and GitHub's search.
    ['timed_out', 'incomplete_results'].find((name) => tree[name] === true) ??
    errorNames.find((name) => isSomething(tree[name])) ??
    (matches('status', badStatus) ? 'status' : undefined) ??
    ['result', 'response', 'success', 'outcome'].find((name) => matches(name, badResult)) ??
    (failedIn(tree) !== '' ? 'failed' : undefined) ??
    // Overpass has what it got so far, and a remark.
    (matches('remark', badRemark) ? 'remark' : undefined) ??
    (isNumbered ? 'value' : undefined)
  return name && `${name} is ${exactJson(tree[name]) ?? ''}`
}

/** Shards of Elasticsearch that have failed: what the others have is in the answer. */
function failedIn(tree: Tree): string {
  const failed = wholeOf(tree['failed']) ?? 0
  return failed > 0 && wholeOf(tree['successful']) !== undefined ? `${failed} have failed` : ''
}

const errorNames = [
  ...['error', 'errors', 'fault', 'exception', 'exceptions', 'failures'],
  ...['errorcode', 'error_code', 'errormessage', 'error_message', 'errormsg', 'error_msg'],
]

/** The words of a server beside a list that isn't there: `its keys are message: Rate limit exceeded`. */
export function whatIsThere(json: unknown): string {
  const words = isTree(json) ? oneLine(messageIn(lowered(json))) : ''
  return words === '' ? shapeOf(json) : `${shapeOf(json)}, and it says: ${words}`
}

function notOk(json: unknown, ok: Wanted): Refusal | undefined {
  for (const [path, wanted] of Object.entries(ok)) {
    const value = valueAt(json, path)
    if ([wanted].flat().some((each) => String(each) === String(value))) continue
    const message = isTree(json) ? messageIn(lowered(json)) : ''
    const shown = value === undefined ? 'missing' : (exactJson(value) ?? String(value))
    return { said: oneLine(`${path} is ${shown}${message === '' ? '' : `: ${message}`}`), isLasting: false }
  }
  return undefined
}

/** `[{"message": …}]`, as the World Bank writes an error. */
function onlyMessage(json: readonly unknown[]): Refusal | undefined {
  const [only, ...others] = json
  if (others.length > 0 || !isTree(only) || Object.keys(only).join() !== 'message') return undefined
  return { said: oneLine(exactJson(only['message']) ?? ''), isLasting: true }
}

const lowered = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([key, value]) => [key.toLowerCase(), value]))

const isBadCode = (value: unknown): boolean =>
  (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) &&
  Number(value) >= 400 &&
  Number(value) < 600

/** Whether there is an error; some write 0, "none" or "OK" where there isn't. */
const isSomething = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.keys(value).length > 0
    : Boolean(value) && !/^(0+|none|null|false|no|ok|success)$/i.test(String(value))

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
    'errormsg',
    'error_msg',
    'fault',
    'faultstring',
    'exception',
    'exceptions',
    'reason',
    'remark',
    'errorcode',
    'error_code',
    'info',
  ]
  for (const place of places) {
    const value = tree[place]
    if (typeof value === 'string' && value !== '') return value
    if (!isSomething(value) || typeof value !== 'object') continue
    const inner: unknown = Array.isArray(value) ? value[0] : value
    const words = isTree(inner) ? messageIn(lowered(inner)) : String(inner)
    return words === '' ? (exactJson(value) ?? '') : words
  }
  return ''
}
