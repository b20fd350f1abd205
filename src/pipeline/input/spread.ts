/**
 * Spreads places evenly by 32 hexadecimal digits of a hash, the same in every slot. Each use has digits of its own and
 * so is independent of the others: a shard's locations have all phases, a sample is in all shards.
 */
import { hexNumber, idDigits } from '../../tasks/id.js'

/** @param key of a place */
export const spreadDigits = idDigits('shard')

/** 0..2^32 - 1: modulo the number of shards it is the shard's index. */
export const shardNumber = (digits: string): number => hexNumber(digits, 0, 8)

/** 0..1: the share of its period at which a location with a cadence is due. */
export const phaseShare = (digits: string): number => hexNumber(digits, 8, 12) / 16 ** 12

/** 0..1: a location below the sample's share is in it. */
export const sampleShare = (digits: string): number => hexNumber(digits, 20, 12) / 16 ** 12
