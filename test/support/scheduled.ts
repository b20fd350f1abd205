/** A folder with a schedule, and owm in it at another time. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { folderWith, owmJson, type Ran, type RunOptions, root } from './cli.js'

const clock = ['--import', join(root, 'test', 'support', 'clock-at.mjs')]

interface Scheduled {
  cron?: string
  timezone?: string
  catchUp?: 'latest' | 'all'
  maxCatchUp?: number
  maxAge?: string
}

export const settings = (schedule: Scheduled, more: object = {}) => ({
  schedule: { cron: '0 * * * *', ...schedule },
  source: { use: 'simulated-db', count: 3 },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './outbox.db' },
  ...more,
})

export const folderOf = (schedule: Scheduled = {}, more: object = {}): Promise<string> =>
  folderWith(settings(schedule, more))

export const at = (cwd: string, now: string): RunOptions => ({ cwd, node: clock, env: { OWM_TEST_NOW: now } })

export const produce = (cwd: string, now: string, ...args: string[]): Promise<Ran & { json: ProduceResult }> =>
  owmJson<ProduceResult>(['produce', ...args], at(cwd, now))

/** How many tasks the sink has, each once. */
export async function countIn(cwd: string): Promise<number> {
  const text = await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')
  const tasks = text.split('\n').filter(Boolean)
  expect(new Set(tasks).size).toBe(tasks.length)
  return tasks.length
}
