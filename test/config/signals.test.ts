import { expect, it } from 'vitest'
import { endedBySignals } from '../../src/config/file/signals.js'
import { loadConfig } from '../../src/config/load.js'
import { folderOf, inYaml } from './scene.js'

it.each([
  ['its result', async () => 1],
  ['its error', async () => Promise.reject(new Error('on purpose'))],
])('nothing listens to signals during long work, and the same as before behind %s', async (_, work) => {
  const heard: string[] = []
  const listener = (): unknown => heard.push('SIGHUP')
  process.on('SIGHUP', listener)
  const before = process.listeners('SIGHUP')
  let during: unknown
  process.kill(process.pid, 'SIGHUP')
  await endedBySignals(() => {
    during = process.listeners('SIGHUP')
    return work()
  }).catch(() => undefined)
  expect({ heard, during, after: process.listeners('SIGHUP') }).toEqual({
    heard: ['SIGHUP'],
    during: [],
    after: before,
  })
  process.off('SIGHUP', listener)
})

it('only a long configuration is read so', async () => {
  const unheard = new Set<unknown>()
  const note = (signal: unknown): unknown => unheard.add(signal)
  const listener = (): undefined => undefined
  process.on('SIGTERM', listener).on('removeListener', note)
  await loadConfig({}, {}, await folderOf({ '.owmrc.yaml': inYaml }))
  expect(unheard.has('SIGTERM')).toBe(false)
  await loadConfig({}, {}, await folderOf({ '.owmrc.yaml': `${inYaml}# ${'-'.repeat(300_000)}\n` }))
  expect(unheard.has('SIGTERM')).toBe(true)
  process.off('removeListener', note).off('SIGTERM', listener)
})
