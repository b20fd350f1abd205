/** Each check is declared once, found by a test, and told with a command that there is. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checks as own } from '../../src/doctor/checks.js'
import { exitCodes } from '../../src/errors/index.js'
import { typeIn } from '../../src/files/disk.js'
import type { Check } from '../../src/plugin.js'
import { checks as ofJsonl } from '../../src/sinks/jsonl/doctor.js'
import { checks as ofPostgres } from '../../src/sinks/postgres/doctor/checks.js'
import { checks as ofRedis } from '../../src/sinks/redis-stream/doctor/checks.js'
import { root } from '../support/cli.js'

const all: readonly [string, Check][] = [own, ofJsonl, ofPostgres, ofRedis].flatMap((checks) => Object.entries(checks))

it('no code is declared twice', () => {
  expect(new Set(all.map(([code]) => code)).size).toBe(all.length)
})

it.each(all)('%s is found by a test', (code) => {
  const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.integration.test.ts'))
  const texts = tests.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
  expect(texts.some((text) => text.includes(`'${code}'`))).toBe(true)
})

const manifest: { commands: Record<string, { flags: Record<string, unknown> }> } = JSON.parse(
  readFileSync(join(root, 'oclif.manifest.json'), 'utf8'),
)

/** What stands between backticks and begins with owm. */
const commandsIn = (text: string): string[] => [...text.matchAll(/`(owm [^`]*)`/g)].flatMap(([, line]) => line ?? [])

function expectCommand(line: string): void {
  const words = line.split(' ').slice(1)
  const flags = words.flatMap((word) => (word.startsWith('--') ? [word.slice(2).split('=')[0] ?? ''] : []))
  if (flags.length === words.length) return // `owm --version`
  const names = Object.keys(manifest.commands).map((id) => id.split(':'))
  const name = names
    .filter((parts) => parts.every((part, index) => words[index] === part))
    .toSorted((a, b) => b.length - a.length)[0]
  expect(name, `${line}: no such command`).toBeDefined()
  const known = ['help', ...Object.keys(manifest.commands[name?.join(':') ?? '']?.flags ?? {})]
  expect(flags.filter((flag) => !known.includes(flag))).toEqual([])
}

it.each(all)('%s: what to do is a command that there is', (_, { todo, why, about }) => {
  for (const line of [todo, why, about].flatMap(commandsIn)) expectCommand(line)
})

it('docs/operations.md has every exit code, with commands that there are', () => {
  const page = readFileSync(join(root, 'docs', 'operations.md'), 'utf8')
  const [, table = ''] = /^## Exit codes\n([\s\S]*?)^## /m.exec(page) ?? []
  const told = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes = '']) => codes.split(', ').map(Number))
  expect(told.toSorted((a, b) => a - b)).toEqual(Object.values(exitCodes).toSorted((a, b) => a - b))
  for (const line of commandsIn(table)) expectCommand(line)
})

it('docs/operations.md has every error, with commands that there are', () => {
  const page = readFileSync(join(root, 'docs', 'operations.md'), 'utf8')
  const [, table = ''] = /^## Errors\n([\s\S]*?)^## /m.exec(page) ?? []
  const told = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].flatMap(([, code]) => code ?? [])
  const source = readFileSync(join(root, 'src', 'errors', 'index.ts'), 'utf8')
  const raised = [...source.matchAll(/override readonly code(?:: string)? = '(\w+)'/g)].flatMap(
    ([, code]) => code ?? [],
  )
  expect(raised.length).toBeGreaterThan(10)
  expect(told.toSorted()).toEqual([...raised, 'INTERNAL'].toSorted())
  for (const line of commandsIn(table)) expectCommand(line)
})

it('the type of a file system is that of the last mount above a folder', () => {
  const mounts = [
    '22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '30 22 0:40 / /srv rw,relatime shared:9 - nfs4 nas:/srv rw',
    '31 22 0:41 / /srv/my\\040disk rw - cifs //nas/disk rw',
    '32 22 0:42 / /srvother rw - tmpfs tmpfs rw',
    '33 30 0:43 / /srv/over rw - xfs /dev/sdb1 rw',
    '34 30 0:44 / /srv/over rw - fuse.sshfs host: rw',
  ].join('\n')
  expect(
    ['/etc', '/srv', '/srv/data', '/srv/my disk/a', '/srvother/x', '/srv/over'].map((at) => typeIn(mounts, at)),
  ).toEqual(['ext4', 'nfs4', 'nfs4', 'cifs', 'tmpfs', 'fuse.sshfs'])
  expect(typeIn('', '/srv')).toBeUndefined()
})
