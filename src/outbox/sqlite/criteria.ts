/** Conditions for which TypeORM has no operator. */
import { type FindOperator, type ObjectLiteral, Raw, type SelectQueryBuilder } from 'typeorm'

/** One of these numbers, however many. (`In` uses a parameter for each, and SQLite allows 32,766.) */
export const among = (numbers: readonly number[]): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT value FROM json_each(:numbers))`, { numbers: JSON.stringify(numbers) })

/** A text that begins with another. (`Like` would treat % and _ as wildcards.) */
export const beginningWith = (beginning: string): FindOperator<string> =>
  Raw((column) => `substr(${column}, 1, length(:beginning)) = :beginning`, { beginning })

/** The row id of a run whose UUID begins so; '' matches every run. */
export const ofRun = (beginning: string): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT id FROM run WHERE substr(run_id, 1, length(:runId)) = :runId)`, {
    runId: beginning,
  })

/** The row id of an earlier run of the same slot. */
export const ofEarlierRun = ({ id, slot }: { id: number; slot: string }): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT id FROM run WHERE slot = :slot AND id < :id)`, { id, slot })

/** A text that contains another, ignoring the case of ASCII letters. */
export const containing = (text: string): FindOperator<string> =>
  Raw((column) => `instr(lower(${column}), :text)`, { text: lowerAscii(text) })

/** As SQLite's `lower()`. */
export const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** A slot before another by time: as texts, 10:00:00.500Z sorts before 10:00:00Z. */
export const slotBefore = (slot: string): FindOperator<string> =>
  Raw((column) => `${slotOrder(column)} < ${slotOrder(':slot')}`, { slot })

/** A slot after another by time. */
export const slotAfter = (slot: string): FindOperator<string> =>
  Raw((column) => `${slotOrder(column)} > ${slotOrder(':slot')}`, { slot })

/** The SQL expression by which slots sort by time. */
export const slotOrder = (column: string): string => `rtrim(${column}, 'Z')`

/** The first seq of a batch that has tasks after `seq`. */
export const endingAfter = (seq: number): FindOperator<number> =>
  Raw((firstSeq) => `${firstSeq} + count - 1 > :seq`, { seq })

/** How many rows of a query with the alias `one` belong to each run, by its row id; or another aggregate of those. */
export async function countByRun<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  aggregate = 'count(*)',
): Promise<Map<number, number>> {
  const counted = query.select('one.run', 'run').addSelect(aggregate, 'n').groupBy('one.run')
  return new Map((await counted.getRawMany<{ run: number; n: number }>()).map(({ run, n }) => [run, n]))
}
