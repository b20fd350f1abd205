/** What is made of a table that changes while it is read. */
import { describe, expect, it } from 'vitest'
import { ResumePointError } from '../../../src/errors/index.js'
import { engines, failure, places } from './engines.js'

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
})
