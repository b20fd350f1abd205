/** docs/architecture.md says what is so: the arrows of its picture, and the functions on the way of a location. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sinks } from '../../src/sinks/index.js'
import { sources } from '../../src/sources/index.js'
import { root } from '../support/cli.js'
import { openRooms, rooms, src } from './rooms.js'

const page = readFileSync(join(root, 'docs', 'architecture.md'), 'utf8')

it('the picture has the arrows of the table of rooms', () => {
  const [, picture = ''] = /```mermaid\n(.*?)```/s.exec(page) ?? []
  const drawn = picture
    .split('\n')
    .map((line) => /^ *(\S+) (-->|-\.->) (.+)$/.exec(line))
    .filter((arrow) => arrow !== null)
    .flatMap(([, from, kind, targets = '']) => targets.split(' & ').map((to) => `${from} ${kind} ${to}`))
  const allowed = Object.entries(rooms).flatMap(([from, { imports, types = [] }]) => [
    ...imports.map((to) => `${from} --> ${to}`),
    ...types.map((to) => `${from} -.-> ${to}`),
  ])
  expect(drawn.sort()).toEqual(allowed.sort())
})

/** What stands in the first column of a table: files and folders of src, without the slash behind them. */
const namedIn = (part: string): string[] =>
  [...part.matchAll(/^\| (`.*?`) \|/gm)]
    .flatMap(([, names = '']) => names.split(', '))
    .map((name) => name.replaceAll('`', '').replace(/\/$/, ''))
    .sort()

const [top = '', inside = ''] = page.split(/^## (?:Inside the larger rooms|Who imports whom)$/m)

it('the table names every room, and only what is there', () => {
  expect(namedIn(top)).toEqual(readdirSync(src).sort())
  expect(openRooms.filter((room) => !namedIn(top).includes(room))).toEqual([])
})

it('the second table names every folder of a room, but those of a plugin and of commands', () => {
  const plugins = [...Object.keys(sources), ...Object.keys(sinks)]
  const folders = readdirSync(src).flatMap((room) =>
    room.endsWith('.ts') || room === 'commands'
      ? []
      : readdirSync(join(src, room), { withFileTypes: true })
          .filter((entry) => entry.isDirectory() && !plugins.includes(entry.name))
          .map(({ name }) => `${room}/${name}`),
  )
  expect(namedIn(inside)).toEqual(folders.sort())
})

it('the way of a location goes through functions that are there', () => {
  const [, way = ''] = page.split('## The way of one location')
  const steps = [...way.matchAll(/`([\w/-]+\.ts)`\s`(\w+)`/g)].map(([, file = '', name = '']) => ({ file, name }))
  expect(steps.length).toBeGreaterThan(15)
  const isThere = ({ file, name }: { file: string; name: string }): boolean => {
    const path = join(src, file)
    return existsSync(path) && new RegExp(`\\b${name}\\b[^\\n]*\\(|const ${name} = `).test(readFileSync(path, 'utf8'))
  }
  expect(steps.filter((step) => !isThere(step))).toEqual([])
})
