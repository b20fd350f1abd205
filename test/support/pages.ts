/** Pages of the documentation, done word by word: their blocks, and what a terminal shows of their commands. */
import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect } from 'vitest'
import { bin, temporaryFolder } from './cli.js'

export interface Block {
  /** What the line before it names, for a file. */
  file: string | undefined
  language: string
  text: string
}

export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^(.*)\n\n?```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, before = '', language = '', text = '']) => ({
      file: /`([^`]+)`:$/.exec(before)?.[1],
      language,
      text,
    }),
  )
}

/** Of a block of a terminal: each command with what it prints. */
export const commandsOf = ({ language, text }: Block): string[] =>
  language === 'console' ? text.split(/^\$ /m).slice(1) : []

/** A folder for PATH, with owm in it. */
export async function folderWithOwm(): Promise<string> {
  const path = await temporaryFolder()
  await symlink(bin, join(path, 'owm'))
  return path
}

/** Runs a command, and expects what stands below it; gives what it printed. */
export async function printsWhatItShows(
  one: string,
  cwd: string,
  path: string,
  env: Record<string, string> = {},
): Promise<string> {
  const [command = '', ...expected] = one.split('\n')
  const printed = await shell(command, cwd, { ...env, PATH: path })
  expect(printed, command).toMatch(pattern(expected.join('\n')))
  return printed
}

/** Standard output and standard error, as a terminal shows them. */
function shell(command: string, cwd: string, { PATH: path = '', ...more }: Record<string, string>): Promise<string> {
  const { PATH = '', HOME = '' } = process.env
  const env = { ...more, HOME, PATH: [path, PATH].join(delimiter) }
  return new Promise((resolve) => {
    execFile('bash', ['-c', command], { cwd, env }, (_, stdout, stderr) => resolve(stdout + stderr))
  })
}

/** `…` stands for anything in its line. */
const pattern = (expected: string): RegExp =>
  new RegExp(`^${expected.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*')}$`)
