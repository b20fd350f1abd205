/** What a start notes for the next one: on a full disk, too, where the file is there. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readRecord, writeRecord } from '../../src/observe/record.js'
import { temporaryFolder } from '../support/cli.js'

const failed = { since: 1, lastSuccess: null, exitCode: 74 }
const succeeded = { since: 1, lastSuccess: 1_795_000_000_000, exitCode: 0 }

// A name that leaves no room for that of a new file beside it: that one can't be made, as on a full disk.
const long = `${'o'.repeat(232)}.db-signals`

test('where no new file can be made, the one that is there is written over, shorter or longer', async () => {
  const file = join(await temporaryFolder(), long)
  await expect(writeRecord(file, failed)).rejects.toThrow(/ENAMETOOLONG/)
  await writeFile(file, '{}')
  for (const record of [failed, succeeded, failed]) {
    await writeRecord(file, record)
    expect(await readRecord(file)).toEqual(record)
  }
  expect(await readdir(dirname(file))).toEqual([long])
})

test('where that is no file, it is an error', async () => {
  const file = join(await temporaryFolder(), 'o.db-signals')
  await mkdir(file)
  await expect(writeRecord(file, failed)).rejects.toThrow()
})
