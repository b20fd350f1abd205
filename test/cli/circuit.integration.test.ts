/** Whose circuit is open: that of the sink or the source that failed, not that of the one named since. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { api, cities, json } from '../sources/http/api.js'
import { folderWith, owmJson } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'
import { redisScene } from '../support/redis-scene.js'

interface Answer {
  error?: { code: string; message: string }
}

async function scene() {
  const made = await redisScene({ count: 3, settings: { retry: { attempts: 1 }, breaker: { failures: 1 } } })
  const start = async (...args: string[]): Promise<unknown[]> => {
    const { code, json } = await made.owmJson<Answer>(args)
    return [code, json.error?.code]
  }
  const produce = (hour: number, ...set: string[]): Promise<unknown[]> =>
    start('produce', '--slot', `2026-11-23T${hour}:00:00Z`, ...set.flatMap((one) => ['--set', one]))
  const database = async (sql: string): Promise<readonly { breaker: string | null }[]> => {
    const outbox = await openDatabase(join(made.folder, 'outbox.db'))
    const rows = await outbox<{ breaker: string | null }>(sql)
    await outbox.close()
    return rows
  }
  return { ...made, start, produce, database }
}

const dead = 'sink.url=redis://:of-the-old-one@127.0.0.1:1'

it('a sink whose address was corrected is asked at once; the same one is left alone', async () => {
  const { produce, database, admin } = await scene()
  expect(await produce(10)).toEqual([0, undefined])
  expect(await produce(11, dead)).toEqual([75, 'NOT_HANDED_OVER'])
  expect(await produce(11, dead)).toEqual([75, 'CIRCUIT_OPEN'])
  expect(await produce(11, dead.replace('old', 'new'))).toEqual([75, 'CIRCUIT_OPEN'])
  const [state] = await database('SELECT breaker FROM state')
  expect(state?.breaker).toMatch(/"of":"[\da-f]{40}"/)
  expect(await produce(11)).toEqual([0, undefined])
  expect(await admin.xlen('owm-ingestion-stream')).toBe(6)
  expect(await database('SELECT breaker FROM state')).toEqual([{ breaker: null }])
})

it('what an older owm noted is about the sink that is configured', async () => {
  const { produce, database, start } = await scene()
  expect(await produce(10, dead)).toEqual([75, 'NOT_HANDED_OVER'])
  await database("UPDATE state SET breaker = json_remove(breaker, '$.sink.of')")
  expect(await start('flush')).toEqual([75, 'CIRCUIT_OPEN'])
})

it('so it is with a source', async () => {
  const places = await api((_, response) => json(response, cities(3)))
  const cwd = await folderWith({
    source: { use: 'http', url: 'http://127.0.0.1:1/', pagination: { type: 'link' } },
    sink: { use: 'jsonl', path: './t.jsonl' },
    outbox: { path: './o.db' },
    retry: { attempts: 1 },
    breaker: { failures: 1 },
  })
  const produce = async (...set: string[]): Promise<unknown[]> => {
    const ran = await owmJson<Answer>(['produce', '--slot', '2026-11-23T10:00:00Z', ...set], { cwd })
    return [ran.code, /circuit/.test(ran.json.error?.message ?? '')]
  }
  expect(await produce()).toEqual([75, false])
  expect(await produce()).toEqual([75, true])
  expect(await produce('--set', `source.url=${places.origin}/`)).toEqual([0, false])
})
