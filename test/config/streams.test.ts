/** Which pipelines of one configuration deliver to one stream. */
import { expect, test } from 'vitest'
import { sharedIds } from '../../src/config/check/streams.js'
import { loadConfig } from '../../src/config/load.js'
import { folderWith } from '../support/cli.js'

const redis = { use: 'redis-stream' }

test.each([
  ['the default, and the same written out', redis, { ...redis, url: 'redis://127.0.0.1/0', connectTimeoutMs: 9 }, 1],
  ['another database', redis, { ...redis, database: 1 }, 0],
  ['the same database, by another key', { ...redis, database: 1 }, { ...redis, url: 'redis://127.0.0.1:6379/1' }, 1],
  ['another stream', redis, { ...redis, stream: 'other' }, 0],
  ['sentinels in another order', sentinels('a:1', 'b:1'), sentinels('b:1', 'a:1'), 1],
  ['one file', { use: 'jsonl', path: './t.jsonl' }, { use: 'jsonl', path: 't.jsonl' }, 1],
  ['two files', { use: 'jsonl', path: './t.jsonl' }, { use: 'jsonl', path: './u.jsonl' }, 0],
  ['a plugin without an address, with the same options', { use: './none.mjs', a: 1 }, { use: './none.mjs', a: 1 }, 1],
])('%s', async (_, one, other, found) => {
  const source = (count: number) => ({ use: 'simulated-db', count })
  const cwd = await folderWith({
    pipelines: { one: { source: source(1), sink: one }, other: { source: source(2), sink: other } },
  })
  const all = ['one', 'other'].map((pipeline) => loadConfig({ pipeline }, {}, cwd))
  expect(await sharedIds(await Promise.all(all))).toHaveLength(found)
})

function sentinels(...nodes: string[]): object {
  return { ...redis, sentinels: nodes, name: 'mymaster' }
}
