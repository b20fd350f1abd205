import { expect, it } from 'vitest'
import { flagOfDigest, flagOfShards, shardFlag, slotFlags } from '../../src/tasks/shard.js'

const slot = '2026-11-23T10:00:00Z'

it('the whole needs a flag only where the configuration reads a shard', () => {
  expect([shardFlag('', false), shardFlag('', true), shardFlag('1/3', false)]).toEqual([
    '',
    ' --shard 0/1',
    ' --shard 1/3',
  ])
  expect([flagOfDigest('abc', false), flagOfDigest('abc', true)]).toEqual(['', ' --shard 0/1'])
  expect(slotFlags(slot, '', true)).toBe(`--slot ${slot} --shard 0/1`)
})

it('several shards are named each, the whole among them', () => {
  expect(flagOfShards(['1/2', '1/2'], false)).toEqual({ flag: ' --shard 1/2', each: '' })
  expect(flagOfShards([], true)).toEqual({ flag: ' --shard 0/1', each: '' })
  const both = { flag: ' --shard I/N', each: ', for I/N each of 0/1, 0/2,' }
  expect(flagOfShards(['', '0/2'], false)).toEqual(both)
})
