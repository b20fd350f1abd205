/** What a quote that is never closed held up is read in turns: between two of them a signal is heard. */
import { expect, it } from 'vitest'
import { isMalformed } from '../../../src/plugin.js'
import { Mapping } from '../../../src/sources/fields/mapping.js'
import { readCsv } from '../../../src/sources/formats/csv/index.js'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** Behind a header and a line with an open quote. */
async function read(rows: number, row: (id: number) => string): Promise<{ sizes: number[]; lines: string[] }> {
  async function* text(): AsyncGenerator<string> {
    yield 'id,city,lat,lon\n0,"A,1,2\n'
    for (let id = 1; id <= rows; id += 1_000)
      yield Array.from({ length: 1_000 }, (_, index) => `${row(id + index)}\n`).join('')
  }
  const mapping = new Mapping({}, { title: 'The list', thing: 'column', log })
  const [sizes, lines]: [number[], string[]] = [[], []]
  const list = { name: 'list.csv', format: 'csv', text, again: true } as const
  for await (const { records, position } of readCsv(list, {}, mapping)) {
    sizes.push(records.length)
    for (const [index, record] of records.entries())
      lines.push(`${position(index)} ${isMalformed(record) ? 'rejected' : record['id']}`)
  }
  return { sizes, lines }
}

it.each([
  ['at the end of the list', 20_000, ''],
  ['once there are too many', 20_000, 'x'.repeat(1_000)],
])('given up %s: no line is lost, none is read twice', async (_, rows, padding) => {
  const { sizes, lines } = await read(rows, (id) => `${id},B${padding},1,2`)
  const expected = Array.from({ length: rows }, (_, index) => `line ${index + 3} ${index + 1}`)
  expect(lines).toEqual(['line 2 rejected', ...expected])
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2_001)
})

it('lines with open quotes behind one: each is rejected, the others are read', async () => {
  const { lines } = await read(5_000, (id) => (id === 4_000 || id === 4_500 ? `${id},"B,1,2` : `${id},B,1,2`))
  // The second quote closes the first one, in the middle of a cell: both lines are wrong by themselves.
  const rejected = lines.filter((line) => line.endsWith('rejected'))
  expect(rejected).toEqual(['line 2 rejected', 'line 4002 rejected', 'line 4502 rejected'])
  expect(lines).toHaveLength(5_001)
})
