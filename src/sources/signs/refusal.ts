/** Errors in the body of an answer whose status is good. */
import { exactJson } from '../../tasks/json/exact.js'
import { isObject, isTree, type Tree } from '../../tasks/json/tree.js'
import { memberAt, oneLine, shapeOf, wholeOf } from './tree.js'

/** The values that a good answer has, by their paths. */
type Wanted = Readonly<Record<string, unknown>>

export interface Refusal {
  /** What the server said. */
  readonly said: string
  /** Whether no retry helps: the request or the credentials are wrong. */
  readonly isLasting: boolean
}

/** Words in the status of an error. */
const badStatus = /error|fail|denied|invalid|exceeded|over_|limit|unauthori[sz]ed|forbidden|unavailable|time[d_ ]*out/i
const badResult = /^(fail(ed|ure)?|error|false|ko|nok)$/i
const badRemark = /error|timed? ?out|exceeded/i
const lasting = new RegExp(
  'denied|unauthori[sz]ed|unauthenticated|forbidden|invalid[_-]?(request|key|token|api|jwt|headers)|' +
    // GraphQL, Hasura: a query that can't work.
    '(validation|parse)[_-]failed|bad_user_input|persisted_query_not|operation_resolution_failure|insufficient_scopes',
  'i',
)

const clientErrors = [400, 401, 403, 404, 422]

/** Objects around or beside the list that may hold the error. */
const envelopes = ['meta', 'status', 'header', 'head', 'response', 'result', 'info', 'metadata', '_shards', '_clusters']

/** The error in an answer; undefined for a good one. */
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
  const { own, isGraphql } = codeIn(tree)
  const code = ['status', 'code', 'cod', 'statuscode', 'status_code'].map((name) => tree[name]).find(isBadCode)
  const { status } = tree
  const mark = markIn(tree)
  if (code === undefined && mark === undefined) return undefined
  const said = [
    typeof status === 'string' || code !== undefined ? String(code ?? status) : '',
    typeof own === 'string' || typeof own === 'number' ? String(own) : '',
    messageIn(tree),
    failedIn(tree),
  ]
  const words = oneLine([...new Set(said)].filter((part) => part !== '').join(': ') || mark || 'an error')
  // Elsewhere a number within an error may mean an overload or a quota, as in ArcGIS' 400 and Google's 403.
  const isClient = [code, isGraphql ? own : undefined].some((each) => clientErrors.includes(Number(each)))
  return { said: words, isLasting: isClient || lasting.test(words) }
}

/** A usual mark of an error, such as `success is false`; undefined without one. */
function markIn(tree: Tree): string | undefined {
  const matches = (name: string, bad: RegExp): boolean => typeof tree[name] === 'string' && bad.test(tree[name])
  // GeoNames has {"status": {"message": …, "value": 18}}.
  const isNumbered = Number(tree['value']) > 0 && typeof tree['message'] === 'string'
  const name =
    ['success', 'ok'].find((name) => tree[name] === false || tree[name] === 0) ??
    // Elasticsearch and GitHub's search mark partial results so.
    ['timed_out', 'incomplete_results'].find((name) => tree[name] === true) ??
    errorNames.find((name) => isSomething(tree[name])) ??
    (matches('status', badStatus) ? 'status' : undefined) ??
    ['result', 'response', 'success', 'outcome'].find((name) => matches(name, badResult)) ??
    (failedIn(tree) !== '' ? 'failed' : undefined) ??
    // Overpass gives partial results, and a remark.
    (matches('remark', badRemark) ? 'remark' : undefined) ??
    (isNumbered ? 'value' : undefined)
  return name && `${name} is ${exactJson(tree[name]) ?? ''}`
}

/** Elasticsearch's shards and clusters that failed: the answer has only what the others hold. */
function failedIn({ total, successful, failed, skipped }: Tree): string {
  const good = wholeOf(successful)
  if (good === undefined) return ''
  // A cluster that can't be reached is only skipped; a shard that is skipped has nothing, and counts as successful.
  const lacking = Math.max(wholeOf(failed) ?? 0, skipped === undefined ? 0 : (wholeOf(total) ?? 0) - good)
  return lacking > 0 ? `${lacking} have failed` : ''
}

const errorNames = [
  ...['error', 'errors', 'fault', 'exception', 'exceptions', 'failures'],
  ...['errorcode', 'error_code', 'errormessage', 'error_message', 'errormsg', 'error_msg'],
]

/** The code in the first error, as GraphQL (`errors: [{message, extensions: {code}}]`) and others have it. */
function codeIn(tree: Tree): { readonly own: unknown; readonly isGraphql: boolean } {
  const error = errorNames.map((name) => [tree[name]].flat()[0]).find(isTree)
  const { extensions, code, errortype, type } = lowered(error ?? {})
  const extended = isTree(extensions) ? extensions['code'] : undefined
  return { own: extended ?? code ?? errortype ?? type, isGraphql: extended !== undefined }
}

/** What an answer says in words, whether it is an error or not; '' if nothing. */
export const wordsIn = (json: unknown): string => (isTree(json) ? oneLine(messageIn(lowered(json))) : '')

/** What an answer has in place of the list: `its keys are message, and it says: Rate limit exceeded`. */
export function whatIsThere(json: unknown): string {
  const words = wordsIn(json)
  return words === '' ? shapeOf(json) : `${shapeOf(json)}, and it says: ${words}`
}

function notOk(json: unknown, ok: Wanted): Refusal | undefined {
  for (const [path, wanted] of Object.entries(ok)) {
    const value = memberAt(json, path)
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

/** Whether a value stands for an error; some servers write 0, "none" or "OK" for none. */
const isSomething = (value: unknown): boolean =>
  isObject(value)
    ? Object.keys(value).length > 0
    : Boolean(value) && !/^(0+|none|null|false|no|ok|success)$/i.test(String(value))

/** The message of an error, from wherever it usually is. */
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
