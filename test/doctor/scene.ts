/** `owm doctor` as users run it, in a folder that nobody clears. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { DoctorResult } from '../../src/commands/doctor.js'
import { owmJson, type Ran, type RunOptions, root } from '../support/cli.js'

/** A healthy configuration: parts of it are replaced. */
export const healthy = {
  source: { use: 'simulated-db', count: 20 },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './outbox.db' },
}

/** A folder on a disk that lasts, with a configuration and other files. It goes with the test. */
export async function folderOf(config: object = healthy, files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp('/var/tmp/owm-test-')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries({ '.owmrc.json': JSON.stringify(config), ...files }))
    await writeFile(join(folder, name), text)
  return folder
}

/** A source of `places` that is too long to be counted in passing: most of its pages are empty. */
export const longList = (places: number): string => `export default {
  kind: 'source', name: 'long', description: 'd', options: { safeParse: (data) => ({ success: true, data }) },
  open: () => ({
    async *read() {
      const locations = Array.from({ length: ${places} }, (_, id) =>
        ({ id: String(id), city: 'Bern ' + id, latitude: 46.9, longitude: 7.4 }))
      yield { locations, resume: '1', position: String }
      for (let page = 2; page < 60; page++) yield { locations: [], resume: String(page), position: String }
    },
  }),
}`

export type Examined = Ran & { json: DoctorResult & { error?: { code: string; message: string } } }

export const doctor = (cwd: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Examined> =>
  owmJson(['doctor', ...args], { cwd, ...options })

/** owm at another time. */
export const at = (now: string): RunOptions => ({
  node: ['--import', join(root, 'test', 'support', 'clock-at.mjs')],
  env: { OWM_TEST_NOW: now },
})

/** The codes of what is wrong. */
export const wrongIn = ({ json }: Examined): string[] =>
  json.checks.flatMap(({ verdict, code }) => (verdict === 'wrong' ? [code] : [])).sort()

/** These are found, each with its reason and action, and nothing else is; the worst of them is the exit code. */
export function expectFound(ran: Examined, exitCode: number, ...codes: string[]): void {
  const told = JSON.stringify(ran.json.checks.filter(({ verdict }) => verdict === 'wrong'))
  expect({ wrong: wrongIn(ran), exit: ran.code }, `${told}\n${ran.stderr}`).toEqual({
    wrong: codes.toSorted(),
    exit: exitCode,
  })
  for (const { verdict, why, todo, found } of ran.json.checks) {
    if (verdict === 'wrong') expect([why, todo, found].every(Boolean)).toBe(true)
    else expect({ why, todo }).toEqual({ why: null, todo: null })
  }
  expect(ran.json.error === undefined).toBe(exitCode === 0)
}
