/** Where the slot of a run comes from. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, owm, owmJson, root } from '../support/cli.js'
import { base } from './scene.js'

const [ten, eleven] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z']

it.each([
  [['--slot', ten], {}, ten],
  [[], { OWM_SLOT: ten }, ten],
  [['--slot', eleven], { OWM_SLOT: ten }, eleven],
  // As templates write it where they have no value.
  [['--slot', ''], { OWM_SLOT: ten }, ten],
  [['--slot='], {}, undefined],
  [['--slot', ''], { OWM_SLOT: '' }, undefined],
  [[], { OWM_SLOT: '' }, undefined],
])('%j with %j: %s', async (args, env, expected) => {
  const cwd = await folderWith(base)
  const begun = new Date().toISOString()
  const { code, json } = await owmJson<{ slot: string }>(['produce', ...args], { cwd, env })
  expect(code).toBe(0)
  if (expected) expect(json.slot).toBe(expected)
  else expect(Date.parse(json.slot)).toBeGreaterThanOrEqual(Date.parse(begun))
})

it.each([
  [['--slot', 'noon'], {}, '--slot noon'],
  [[], { OWM_SLOT: 'noon' }, 'OWM_SLOT noon'],
  [['--slot', ' '], {}, '--slot'],
  [['--slot', '2026-02-30T10:00:00Z'], {}, '--slot 2026-02-30T10:00:00Z'],
  [['--slot', '2026-04-31T10:00:00+02:00'], {}, '--slot'],
])('%j with %j is no time: 2', async (args, env, said) => {
  const ran = await owm(['produce', ...args], { cwd: await folderWith(base), env })
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining(said) })
})

it('flags that are empty, as templates write them, are none: the configured sink is no trial', async () => {
  const cwd = await folderWith(base)
  const empty = ['--sink', '', '--source', '', '--outbox', '', '--config', '', '--pipeline', '', '--shard', '']
  const { code, json } = await owmJson<{ outbox: { path: string } }>(['produce', '--slot', ten, ...empty], { cwd })
  expect(code).toBe(0)
  const again = await owmJson<{ outbox: { path: string } }>(['produce', '--slot', ten], { cwd })
  expect(json.outbox.path).toBe(again.json.outbox.path)
})

it.each([
  ['on its own', {}],
  ['of a schedule', { schedule: { cron: '0 * * * *', maxAge: '3650d' } }],
])(
  'a slot %s that has dead letters is no success when it is started again, until they are given up',
  async (_, more) => {
    const sink = { use: join(root, 'test', 'plugins', 'chain-sink.mjs'), file: 'chain.json' }
    const cwd = await folderWith({ ...base, sink, ...more })
    const produce = (...args: string[]) =>
      owmJson<{ outbox: { dead: number }; error?: { code: string; message: string } }>(
        ['produce', '--slot', ten, ...args],
        { cwd },
      )
    expect(await produce('--set', 'sink.refuses="location_id":1,')).toMatchObject({
      code: 75,
      json: { outbox: { dead: 1 } },
    })
    const { code, json } = await produce()
    expect({ code, json }).toMatchObject({ code: 75, json: { outbox: { dead: 1 }, error: { code: 'REFUSED' } } })
    expect(json.error?.message).toMatch(`1 task of the slot ${ten} is a dead letter: the sink `)
    // The next slot has none.
    expect((await owm(['produce', '--slot', eleven], { cwd })).code).toBe(0)
    expect((await owm(['outbox', 'purge', '--dead', '--yes'], { cwd })).code).toBe(0)
    expect((await produce()).code).toBe(0)
  },
  120_000,
)
