/** Configurations in folders of their own, and what they mean. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Loaded, loadConfig } from '../../src/config/load.js'
import { pluginOptions } from '../../src/config/section.js'
import type { Overrides } from '../../src/config/values/overrides.js'
import { ConfigurationError, ConfigurationErrors } from '../../src/errors/index.js'
import { loadSink, loadSource } from '../../src/plugins/load.js'
import { folderWith, owmJson, type Ran, type RunOptions, temporaryFolder } from '../support/cli.js'

export interface Seen {
  source: { name: string; read: number }
  outbox: { path: string }
  sink: { name: string }
  tasks: { city: string; state: string }[]
  error?: { code: string; message: string; hint: string }
}

export const dryRun = (args: readonly string[], options: RunOptions): Promise<Ran & { json: Seen }> =>
  owmJson<Seen>(['produce', '--dry-run', ...args], options)

export const minimal = { source: { use: 'simulated-db', count: 3 }, sink: { use: 'jsonl', path: 'tasks.jsonl' } }
export const inJson = JSON.stringify(minimal)
export const inYaml = 'source:\n  use: simulated-db\n  count: 3\nsink:\n  use: jsonl\n  path: tasks.jsonl\n'

/** A folder with these files; a key may be a path. */
export async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

export async function errorOf(
  config: unknown,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<{ text: string; file: string }> {
  const cwd = await folderWith(config)
  const { code, json } = await dryRun(args, { cwd, ...options })
  expect(json.error?.code).toBe('CONFIGURATION')
  expect(code).toBe(78)
  return { text: `${json.error?.message}\n${json.error?.hint}`, file: join(cwd, '.owmrc.json') }
}

// --- in this process: no command is needed to see what a configuration means ---

/** What the configuration in a folder means, its plugins' options included; or what is wrong with it. */
export async function settingsOf(
  files: Record<string, string>,
  overrides: Overrides = {},
  env: Record<string, string> = {},
): Promise<Loaded> {
  const loaded = await loadConfig(overrides, env, await folderOf(files))
  for (const kind of ['source', 'sink'] as const) {
    const { use } = loaded.settings[kind] ?? {}
    if (use !== undefined)
      await pluginOptions(
        loaded,
        kind,
        (await (kind === 'source' ? loadSource : loadSink)(use, loaded.baseDir)).options,
      )
  }
  return loaded
}

/** Its messages and hints, without the folder. */
export async function mistakesOf(...given: Parameters<typeof settingsOf>): Promise<string[]> {
  const error: unknown = await settingsOf(...given).catch((thrown: unknown) => thrown)
  if (!(error instanceof ConfigurationError)) throw new Error(`a ConfigurationError was expected, not ${error}`)
  const all = error instanceof ConfigurationErrors ? error.all : [error]
  return all.map(({ message, hint }) => `${message} ${hint ?? ''}`.trim().replaceAll(/\/\S*owm-test-[^/]*\//g, ''))
}
