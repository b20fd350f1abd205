/** Sources written by hand, in JavaScript: a part of a list is never taken for the whole. */
import { expect, test } from 'vitest'
import type { Source } from '../../src/plugin.js'
import { superviseSource } from '../../src/plugins/supervise/index.js'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const terms = { name: 'hand', timeoutMs: 1_000, signal: new AbortController().signal, log }

/** How many locations a source gives that is this text. */
async function countOf(javascript: string): Promise<number> {
  const module: { default: Source } = await import(`data:text/javascript,${encodeURIComponent(javascript)}`)
  const source = await superviseSource(terms, () => module.default)
  let read = 0
  for await (const { locations } of source.read(undefined)) read += locations.length
  return read
}

const iterates = (next: string): string => `
  const batch = { locations: [{ id: '1' }], resume: '1', position: () => 'the first' }
  let calls = 0
  export default { read: () => ({ [Symbol.asyncIterator]: () => (${next}) }) }`

test.each([
  ['nothing', '{ next() { if (calls++ === 0) return { value: batch } } }', '`next` of `read` gave undefined'],
  [
    'nothing, later',
    '{ async next() { if (calls++ === 0) return { value: batch } } }',
    '`next` of `read` gave undefined',
  ],
  ['null', '{ async next() { return null } }', '`next` of `read` gave null'],
  ['no iterator', 'undefined', '`read` gave an iterator that is undefined'],
])('an iterator that gives %s has not ended: its source broke its contract', async (_, next, rule) => {
  await expect(countOf(iterates(next))).rejects.toThrow(`The source hand broke its contract: ${rule}.`)
})

test('one that says that it is done has ended', async () => {
  expect(await countOf(iterates('{ next: () => ({ done: calls++ > 0, value: calls > 1 ? undefined : batch }) }'))).toBe(
    1,
  )
})

const gives = (locations: string): string => `
  const one = { id: '1' }
  export default { async *read() { yield { locations: ${locations}, resume: '1', position: () => 'a place' } } }`

test('a source that fills one object for all locations of a batch broke its contract', async () => {
  const rule = 'the 3 locations of a batch are one and the same object'
  await expect(countOf(gives('[one, one, one]'))).rejects.toThrow(`The source hand broke its contract: ${rule}.`)
})

test.each(['[one]', '[one, { ...one }]', '[one, one, { ...one }]'])('one that gives %s may', async (locations) => {
  expect(await countOf(gives(locations))).toBeGreaterThan(0)
})
