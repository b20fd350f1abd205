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

/** Runs a command, and expects what stands below it. */
export async function printsWhatItShows(one: string, cwd: string, path: string): Promise<void> {
  const [command = '', ...expected] = one.split('\n')
  expect(await shell(command, cwd, path), command).toMatch(pattern(expected.join('\n')))
}

/** Standard output and standard error, as a terminal shows them. */
function shell(command: string, cwd: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const { PATH = '', HOME = '' } = process.env
    execFile('bash', ['-c', command], { cwd, env: { PATH: [path, PATH].join(delimiter), HOME } }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

/** `…` stands for anything in its line. */
const pattern = (expected: string): RegExp =>
  new RegExp(`^${expected.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*')}$`)
