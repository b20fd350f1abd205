/**
 * What spreads places evenly: 32 hexadecimal digits of a hash of the place, the same in every slot. Each use has digits
 * of its own, so that one doesn't depend on the other: a shard's locations have all phases, a sample is in all shards.
 */
import { hexNumber, idDigits } from '../../tasks/id.js'

/** @param key of a place, or what else is spread */
export const spreadDigits = idDigits('shard')

/** 0..2^32 - 1: the shard is the rest of its division by their number. */
export const shardNumber = (digits: string): number => hexNumber(digits, 0, 8)

/** 0..1: where in its period a location with a cadence is due. */
export const phaseShare = (digits: string): number => hexNumber(digits, 8, 12) / 16 ** 12

/** 0..1: locations below a bound are in a sample. */
export const sampleShare = (digits: string): number => hexNumber(digits, 20, 12) / 16 ** 12
