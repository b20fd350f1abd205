/** `owm init --print` as users run it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { owm, type RunOptions } from '../support/cli.js'

export const run = promisify(execFile)

export const base = {
  schedule: { cron: '0 * * * *' },
  source: { use: 'simulated-db', count: 20 },
  sink: { use: 'jsonl', path: './later/tasks.jsonl' },
  outbox: { path: './state/o.db' },
}

export const textOf = async (args: string[], options: RunOptions): Promise<string> => {
  const ran = await owm(['init', '--print', ...args], options)
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
  return ran.stdout
}

/** The lines that start something, each with its fields and its command as cron gives it to the shell. */
export const linesIn = (crontab: string): { fields: string; command: string }[] =>
  crontab
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, fields = '', command = ''] = /^((?:\S+ ){4}\S+) +(.*)$/.exec(line) ?? []
      // As Debian's cron: a backslash goes before % and backslash, a bare % would end the command.
      const given = command.replace(/\\([%\\])/g, (_, escaped) => (escaped === '%' ? '\u0000' : escaped))
      expect(given).not.toContain('%')
      return { fields, command: given.replaceAll('\u0000', '%') }
    })
