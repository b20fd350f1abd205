/** docs/protocol.md describes what the outbox's file really has: each table with its columns, each state of a run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { entities } from '../../src/outbox/sqlite/entities.js'
import { runStates } from '../../src/outbox/sqlite/run-states.js'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'protocol.md'), 'utf8')

/** The text under a heading. */
const section = (heading: string): string => page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''

const named = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)

describe('tables of the outbox', () => {
  const rows = new Map(
    [...section('Tables of the outbox').matchAll(/^\| `(\w+)` \|.*?\|(.*)\|$/gm)].map(
      ([, table = '', columns = '']) => [table, named(columns)],
    ),
  )

  it('are those of the file, and the view of single tasks', () => {
    expect([...rows.keys()].sort()).toEqual([...entities.map(({ options }) => options.name), 'task'].sort())
  })

  it.each(entities.map(({ options }) => options))('$name has each of its columns', ({ name, columns }) => {
    const all = Object.entries(columns).map(([property, column]) => column?.name ?? property)
    // Row ids need no description.
    expect(all.filter((column) => column !== 'id' && !rows.get(name)?.includes(column))).toEqual([])
  })
})

it('states of a run are those of the code, in its moves and in its list', () => {
  const [, moves = ''] = section('The outbox').split('```')
  const inMoves = moves.split('\n').flatMap((line) => /^(.*?) +--> (\w+)/.exec(line)?.slice(1) ?? [])
  expect([...new Set(inMoves.flatMap((states) => states.split(', ')))].sort()).toEqual([...runStates].sort())
  const listed = [...section('The outbox').matchAll(/^- `(\w+)`:/gm)].map(([, state]) => state)
  expect(listed.sort()).toEqual([...runStates].sort())
})
