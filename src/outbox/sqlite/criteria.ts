/** Conditions that TypeORM has no operator for. */
import { type FindOperator, Raw } from 'typeorm'

/** A number among any number of others. (`In` has a parameter for each, of which SQLite takes 32,766.) */
export const among = (numbers: readonly number[]): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT value FROM json_each(:numbers))`, { numbers: JSON.stringify(numbers) })

/** A text that begins with another. (`Like` would take % and _ for more than themselves.) */
export const beginningWith = (beginning: string): FindOperator<string> =>
  Raw((column) => `substr(${column}, 1, length(:beginning)) = :beginning`, { beginning })

/** A run's row id, by the beginning of the run's UUID; '' is any run's. */
export const ofRun = (beginning: string): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT id FROM run WHERE substr(run_id, 1, length(:runId)) = :runId)`, {
    runId: beginning,
  })

/** The row id of an earlier run of the same slot. */
export const before = ({ id, slot }: { id: number; slot: string }): FindOperator<number> =>
  Raw((column) => `${column} IN (SELECT id FROM run WHERE slot = :slot AND id < :id)`, { id, slot })

/** A text that contains another, in any case of ASCII letters. */
export const containing = (text: string): FindOperator<string> =>
  Raw((column) => `instr(lower(${column}), :text)`, { text: lowerAscii(text) })

/** As SQLite's lower() does it. */
export const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** A slot before another, as times: as texts, 10:00:00.500Z stands before 10:00:00Z. */
export const slotBefore = (slot: string): FindOperator<string> =>
  Raw((column) => `${slotOrder(column)} < ${slotOrder(':slot')}`, { slot })

/** A slot after another, as times. */
export const slotAfter = (slot: string): FindOperator<string> =>
  Raw((column) => `${slotOrder(column)} > ${slotOrder(':slot')}`, { slot })

/** What slots are sorted by. */
export const slotOrder = (column: string): string => `rtrim(${column}, 'Z')`

/** A batch that has tasks behind `seq`. */
export const endingAfter = (seq: number): FindOperator<number> =>
  Raw((firstSeq) => `${firstSeq} + count - 1 > :seq`, { seq })
