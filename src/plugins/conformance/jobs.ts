/** For the checks that kill: runs the real pipeline in another process, in a temporary folder. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMalformed, type Source } from '../../plugin.js'
import { sinks } from '../../sinks/index.js'
import { sources } from '../../sources/index.js'
import { taskMaker } from '../../tasks/encode.js'
import { builtFile } from '../installation.js'
import { checkSeconds, type UnderTest } from './check.js'
import type { Job, PluginChoice, Report } from './runner.js'

/** How another process finds the plugin. */
export function choiceOf(
  { plugin, module, options, baseDir = process.cwd() }: UnderTest & { plugin: { name: string } },
  kind: 'source' | 'sink',
): PluginChoice {
  const builtIns = kind === 'source' ? sources : sinks
  if (module === undefined)
    assert.ok(
      plugin.name in builtIns,
      "say where the plugin's module is, so that another process can load it: " +
        "`module: import.meta.resolve('./index.js')`",
    )
  const use = module === undefined ? plugin.name : module.startsWith('file:') ? fileURLToPath(module) : module
  return { use, options, baseDir }
}

/** The exit code of such a process. Not 0, so that a plugin that sets 0 at the very end is noticed. */
const goodEnd = 93

/** Runs a job in a process of its own, to its end or until it is killed. */
export async function runJob(job: Job): Promise<Report | 'killed'> {
  const child: ChildProcess = fork(builtFile('plugins/conformance/runner'), [String(goodEnd)], {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let [stderr, stdout] = ['', '']
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  let report: Report | undefined
  child.on('message', (message: Report) => {
    report = message
  })
  child.send(job)
  const late = setTimeout(() => child.kill('SIGTERM'), checkSeconds * 1000)
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal }))
    },
  )
  clearTimeout(late)
  const start = JSON.stringify(stdout.slice(0, 60))
  assert.equal(stdout, '', `it printed ${start} to standard output, where --json prints: \`context.log\` is for that`)
  if (signal === 'SIGKILL') return 'killed'
  if (report) {
    assert.equal(code, goodEnd, "it changed the process's exit code, by which owm says how a start ended")
    return report
  }
  throw new assert.AssertionError({ message: `the process ended without a word: ${stderr}` })
}

/** Runs a job to its end; an error that it reports fails the check. */
export async function runJobToItsEnd(job: Job): Promise<void> {
  const report = await runJob(job)
  assert.deepEqual(report === 'killed' ? report : report.errors, [])
}

export async function inTemporaryFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-check-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A random slot, so that what is asserted of its tasks holds for this run alone. */
export const someSlot = (): string =>
  new Date(Math.floor(Math.random() * 4e9) * 1000).toISOString().replace('.000Z', 'Z')

/** The tasks that an open source's locations become in a slot, as JSON text. */
export async function tasksOf(source: Source, slot: string): Promise<string[]> {
  const make = taskMaker(slot)
  const tasks: string[] = []
  for await (const { locations } of source.read(undefined))
    for (const location of locations) {
      const made = isMalformed(location) ? location : make(location)
      if (typeof made === 'string') tasks.push(made)
    }
  return tasks
}
