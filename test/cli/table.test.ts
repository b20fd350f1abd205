import { describe, expect, it } from 'vitest'
import { table, wrapped } from '../../src/cli/table.js'

const wide = Number.POSITIVE_INFINITY

describe('a table', () => {
  it('keeps its columns behind texts that are wider on a terminal than they are long', async () => {
    const lines = await table(
      ['CITY', 'N'],
      [
        ['東京都', '1'],
        ['Łódź', '2'],
        ['Z\u0301urich', '3'],
        ['👩‍👩‍👧', '4'],
      ],
      wide,
    )
    // Six columns for 東京都, two for the family, none for the accent alone.
    expect(lines).toEqual(['CITY    N', '東京都  1', 'Łódź    2', 'Z\u0301urich  3', '👩‍👩‍👧      4'])
  })

  it('cuts the widest column, never half a character, where the terminal is too narrow', async () => {
    const lines = await table(
      ['CITY', 'N'],
      [
        ['東京都庁', '1'],
        ['Reykjavík', '2'],
      ],
      9,
    )
    expect(lines).toEqual(['CITY    N', '東京…   1', 'Reykj…  2'])
  })

  it('replaces what a terminal would obey', async () => {
    expect(await table(['CITY'], [['a\u001b[31mb\nc\u202ed']], wide)).toEqual(['CITY', 'a\ufffd[31mb\ufffdc\ufffdd'])
  })

  it('and a line feed begins no line in a text, either', () => {
    expect(wrapped('a\nb: c d', 7)).toEqual(['a\ufffdb: c', '  d'])
    expect(wrapped('do: `a b c`; d', 5)).toEqual(['do:', '  `a b c`;', '  d'])
  })

  it('takes many rows', async () => {
    const rows = Array.from({ length: 200_000 }, (_, index) => [String(index)])
    expect(await table(['N'], rows, wide)).toHaveLength(200_001)
  })
})
