/** docs/architecture.md says what is so: the arrows of its picture, and the functions on the way of a location. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
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

it('the table names every room, and only what is there', () => {
  const named = [...page.matchAll(/^\| (`.*?`) \|/gm)]
    .flatMap(([, names = '']) => names.split(', '))
    .map((name) => name.replaceAll('`', '').replace(/\/$/, ''))
  expect(named.sort()).toEqual(readdirSync(src).sort())
  expect(openRooms.filter((room) => !named.includes(room))).toEqual([])
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
