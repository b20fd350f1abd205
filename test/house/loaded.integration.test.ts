/** Laws of the house that are read off the loaded modules. They take seconds: laws.test.ts reads the source alone. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { files, src, textOf } from './rooms.js'

type Loaders = Record<string, () => Promise<{ default: { name: string } }>>

it.each(['sources', 'sinks'])('%s have the names of their files, and stand in the map', async (kind) => {
  const module: Record<string, Loaders> = await import(join(src, kind, 'index.ts'))
  const map = Object.entries(module[kind] ?? {})
  const there = new Set(
    files
      .filter((file) => file.startsWith(`${kind}/`) && textOf(file).includes(`export default define`))
      .map((file) => file.slice(kind.length + 1).replace(/(\/index)?\.ts$/, '')),
  )
  expect(map.map(([name]) => name).sort()).toEqual([...there].sort())
  for (const [name, load] of map) expect((await load()).default.name).toBe(name)
})

it.each(files.filter((file) => file.startsWith('commands/')))(
  '%s takes no argument from standard input: cron may start it with anything there',
  async (file) => {
    const command: { default: { args?: Record<string, { ignoreStdin?: boolean }> } } = await import(join(src, file))
    for (const [name, { ignoreStdin }] of Object.entries(command.default.args ?? {}))
      expect({ name, ignoreStdin }).toEqual({ name, ignoreStdin: true })
  },
)
