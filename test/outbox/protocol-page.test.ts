/** docs/protocol.md describes what the outbox's file really has: each table with its columns, each state of a run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { moves, runStates } from '../../src/outbox/runs/run-states.js'
import { entities } from '../../src/outbox/sqlite/entities.js'

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
    // `log` is no entity: sqlite/log.ts reads it by connections of its own, also in older files.
    const tables = [...entities.map(({ options }) => options.name), 'log', 'task']
    expect([...rows.keys()].sort()).toEqual(tables.sort())
  })

  it.each(entities.map(({ options }) => options))('$name has each of its columns', ({ name, columns }) => {
    const all = Object.entries(columns).map(([property, column]) => column?.name ?? property)
    // Row ids need no description.
    expect(all.filter((column) => column !== 'id' && !rows.get(name)?.includes(column))).toEqual([])
  })
})

describe('a run', () => {
  it('moves between its states as the code says', () => {
    const [, diagram = ''] = section('The outbox').split('```')
    const arrows = diagram.split('\n').flatMap((line) => {
      const [, from = '', to] = /^(.*?) +--> (\w+)/.exec(line) ?? []
      return to === undefined ? [] : from.split(', ').map((state) => `${state} --> ${to}`)
    })
    const all = runStates.flatMap((state) => moves[state].map((to) => `${state} --> ${to}`))
    expect([...new Set(arrows)].sort()).toEqual(all.sort())
  })

  it('has its states described, each once', () => {
    const described = [...section('The outbox').matchAll(/^- `(\w+)`:/gm)].map(([, state]) => state)
    expect(described.sort()).toEqual([...runStates].sort())
  })
})
