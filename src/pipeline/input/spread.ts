/**
 * What spreads places evenly: 32 hexadecimal digits of a hash of the place, the same in every slot. Each use has digits
 * of its own, so that one doesn't depend on the other: a shard's locations have all phases, a sample is in all shards.
 */
import { idDigits } from '../../tasks/id.js'

/** @param key of a place, or what else is spread */
export const spreadDigits = idDigits('shard')

/** 0..2^32 - 1: the shard is the rest of its division by their number. */
export const shardNumber = (digits: string): number => Number.parseInt(digits.slice(0, 8), 16)

/** 0..1: where in its period a location with a cadence is due. */
export const phaseShare = (digits: string): number => Number.parseInt(digits.slice(8, 20), 16) / 16 ** 12

/** 0..1: locations below a bound are in a sample. */
export const sampleShare = (digits: string): number => Number.parseInt(digits.slice(20, 32), 16) / 16 ** 12
