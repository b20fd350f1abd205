/**
 * Task ids: `task_id` = UUIDv5(namespace, slot + place key), so that a location has the same id in a slot on every
 * machine (RFC 9562, 5.5). The namespace is owm's own or, with a `taskNamespace`, UUIDv5(owm's, `taskNamespace`):
 * so that pipelines whose locations have the same ids make different tasks.
 */
import { hash } from 'node:crypto'
import { Utf8 } from './bytes.js'
import { isObject } from './json/tree.js'

/** UUIDv5 of `urn:owm:task` in the URL namespace. */
const namespace = Buffer.from('5c4d551c4dc75f888a0195d89657767d', 'hex')

/** Room for a key: 200 characters for each of city and state, and the numbers. */
const keyBytes = 8 * 1024

/**
 * Returns a function that turns a place's key into 32 hexadecimal digits: those of its id in this slot, except that
 * version and variant aren't set.
 *
 * @param slot the scheduled time as `normalSlot` writes it, or another word if the digits have another purpose; the
 *   beginning of a window (schedule/windows), if given, replaces it
 * @param taskNamespace '' for owm's own namespace
 */
export function idDigits(slot: string, taskNamespace = ''): (key: string, window?: string) => string {
  const name = new Utf8(keyBytes)
  name.put(taskNamespace === '' ? namespace : namespaceFor(taskNamespace))
  const before = name.end
  let [written, start] = ['', before]
  /** By length. Cached, as creating a view takes as long as the hash itself. */
  const views: Uint8Array[] = []
  return (key, window = slot) => {
    if (window !== written) {
      name.end = before
      name.text(`${window}\n`)
      written = window
      start = name.end
    }
    name.end = start
    name.text(key)
    const view = views[name.end] ?? name.written()
    views[name.end] = view
    return hash('sha1', view, 'hex')
  }
}

/** Lower-case hexadecimal digits as a number: like `Number.parseInt` of a slice, but allocates no string. */
export function hexNumber(digits: string, from: number, length: number): number {
  let value = 0
  for (let index = from; index < from + length; index++) {
    const code = digits.charCodeAt(index)
    value = value * 16 + code - (code > 0x60 ? 0x57 : 0x30)
  }
  return value
}

/** The UUIDv5 of a `taskNamespace`, as 16 bytes. */
function namespaceFor(taskNamespace: string): Buffer {
  const bytes = hash('sha1', Buffer.concat([namespace, Buffer.from(taskNamespace)]), 'buffer').subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6) // its version
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8) // and its variant
  return bytes
}

/** The id in a task's JSON text. */
export function taskIdOf(task: string): string {
  const parsed: unknown = JSON.parse(task)
  if (isObject(parsed) && 'task_id' in parsed && typeof parsed.task_id === 'string') return parsed.task_id
  throw new TypeError('the text is no task: it has no task_id')
}
