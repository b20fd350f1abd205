/** What is made of a table that changes while it is read. */
import { describe, expect, it } from 'vitest'
import { ResumePointError } from '../../../src/errors/index.js'
import { engines, failure, mariadb, places, readAll, tableOf } from './engines.js'

describe.each(engines)('$name', (engine) => {
  it.each([
    ['is renamed', ['lat TO breite']],
    ['swaps its name with another', ['lat TO x', 'lon TO lat', 'x TO lon']],
  ])('is read anew where a column %s between two pages', async (_, renames) => {
    const table = await places(engine, 6)
    const options = { url: engine.url(), table, key: 'id', pageSize: 2 }
    const error = await failure(options, {
      async onBatch({ resumes }) {
        if (resumes.length !== 1) return
        for (const rename of renames) await engine.query(`ALTER TABLE ${table} RENAME COLUMN ${rename}`)
      },
    })
    expect(error).toBeInstanceOf(ResumePointError)
  })

  it.skipIf(engine === mariadb)('is read anew where its key is ordered otherwise', async () => {
    const rows = ['1', '10', '100', '2', '3'].map((k) => `'${k}', 'a', 1, 2`)
    const columns = ', city VARCHAR(9), lat FLOAT, lon FLOAT'
    for (const type of ['INTEGER', engine.name === 'SQLite' ? 'TEXT COLLATE NOCASE' : 'TEXT COLLATE insensitive']) {
      const table = await tableOf(engine, `k TEXT${columns}`, rows)
      const other = await tableOf(engine, `k ${type}${columns}`, rows)
      const options = { url: engine.url(), table, key: 'k', pageSize: 2 }
      const { resumes } = await readAll(options)
      const old = JSON.stringify({ ...JSON.parse(resumes[0] ?? ''), ordering: undefined })
      expect((await readAll(options, { resume: old })).locations).toHaveLength(3)
      const change = async (): Promise<void> => {
        await engine.query(`DROP TABLE ${table}`)
        await engine.query(`ALTER TABLE ${other} RENAME TO ${table}`)
      }
      const error = await failure(options, { onBatch: (read) => (read.resumes.length === 1 ? change() : undefined) })
      expect(error, type).toBeInstanceOf(ResumePointError)
      expect(await failure(options, { resume: resumes[0] ?? '' }), type).toBeInstanceOf(ResumePointError)
    }
  })
})
