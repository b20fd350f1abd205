/** What of the outbox is completed. */
import { expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { folderWith, owm, owmJson } from '../support/cli.js'

/** The words that are answered. */
async function words(line: readonly string[], cwd: string): Promise<string[]> {
  const { stdout } = await owm(['autocomplete', 'answer', '--', ...line], { cwd })
  return stdout
    .split('\n')
    .flatMap((answer) => answer.split(' ', 1))
    .filter(Boolean)
}

it('runs and slots are those of the outbox, wherever a run may be named', async () => {
  const source = { use: 'simulated-db', count: 1 }
  const cwd = await folderWith({ source, sink: { use: 'jsonl', path: 'tasks.jsonl' }, outbox: { path: 'o.db' } })
  const slots = ['2026-11-23T11:00:00Z', '2026-11-23T10:00:00Z']
  const ids: string[] = []
  for (const slot of slots.toReversed())
    ids.unshift((await owmJson<ProduceResult>(['produce', '--slot', slot], { cwd })).json.runId ?? '')
  for (const line of [['show'], ['diff'], ['diff', slots[1] ?? '']])
    expect(await words(['runs', ...line, ''], cwd)).toEqual([...ids, ...slots])
  expect(await words(['runs', 'show', ids[0]?.slice(0, 4) ?? ''], cwd)).toEqual(ids.slice(0, 1))
  for (const command of ['inspect', 'discard']) expect(await words(['outbox', command, '--run', ''], cwd)).toEqual(ids)
  expect(await words(['produce', '--slot', ''], cwd)).toEqual(slots)
})
