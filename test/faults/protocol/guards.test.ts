/** Does the suite notice? Each guard is taken out of a second build: a loss, or a double, must show. */
import { expect, test } from 'vitest'
import { brokenBuild, type Changes } from '../../support/broken.js'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z', '2026-11-23T12:00:00Z'] as const
const count = 600

interface Guard {
  name: string
  changes: Changes
  /** Returns how many entries there must be; `owm` runs the build under test. */
  run(scene: Scene, owm: (args: readonly string[]) => Promise<unknown>): Promise<number>
}

const produce = (slot: string, ...more: string[]): string[] => ['produce', '--slot', slot, ...more]

const guards: readonly Guard[] = [
  {
    name: 'the stream is not looked at',
    changes: { 'stream-looked-at': 'if false then' },
    async run(scene, owm) {
      await owm(produce(slots[0]))
      await scene.admin.del(stream)
      await owm(['flush'])
      return count
    },
  },
  {
    name: 'place takes any generation of the stream',
    changes: {
      'place-generation': '',
      'place-attached': "generation = seen.generation; ARGV[4] = string.format('%d', generation)",
    },
    async run(scene, owm) {
      await owm(produce(slots[0]))
      const before = async (): Promise<void> => {
        await scene.admin.del(stream)
        await owm(produce(slots[2], '--outbox', './other.db'))
      }
      scene.proxy.onNextNamed('place', 1, { before })
      await owm(produce(slots[1]))
      return 3 * count
    },
  },
  {
    name: 'a receipt is written wherever the fence stands',
    changes: { 'receipt-stands': 'local stands = true' },
    async run(scene, owm) {
      scene.proxy.onNamed('receipt', 1, { before: () => scene.admin.del(stream) })
      await owm(produce(slots[0]))
      return count
    },
  },
  {
    name: 'a fence that is gone is not restored',
    changes: { 'fence-restored': 'if true then return held end local values = {}' },
    async run(scene, owm) {
      await owm(produce(slots[0]))
      await scene.admin.xtrim(stream, 'MAXLEN', 0)
      await scene.admin.del(await scene.admin.keys(`{${stream}}:owm:????????-????-????-????-????????????`))
      await owm(produce(slots[1]))
      return count
    },
  },
]

for (const { name, changes, run } of guards)
  test(`caught: ${name}`, async () => {
    const difference = async (script?: string): Promise<number> => {
      const scene = await redisScene({ count })
      const wanted = await run(scene, (args) => scene.owm(args, script === undefined ? {} : { script }))
      return (await scene.admin.xlen(stream)) - wanted
    }
    expect(await difference()).toBe(0)
    expect(await difference(await brokenBuild(changes))).not.toBe(0)
  })
