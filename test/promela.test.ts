/**
 * The protocol's Promela model (model/protocol.pml), checked by spin: the protocol as it is keeps its promises under
 * every order of the faults named, and each variant that is broken on purpose is caught.
 *
 * `npm run test:model` checks all of model/README.md's table; without OWM_TEST_LONG only the rows of a few seconds.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from './support/cli.js'
import { isLong } from './support/conditions.js'

const run = promisify(execFile)
const model = join(root, 'model', 'protocol.pml')

/** The model's assertions, by what stands in them. */
const promises: Readonly<Record<string, RegExp>> = {
  twice: /sink\.there\[x\]==0/,
  lost: /lossSinceReceipt/,
  removed: /lossSinceAttach/,
  'a copy': /^restored$/,
  stuck: /invalid end state/,
  endless: /non-progress cycle/,
}

interface Row {
  flags: string[]
  /** As the table says; they tell the longer searches. */
  states: number
  result: string
}

const table = (await readFile(join(root, 'model', 'README.md'), 'utf8'))
  .split('\n')
  .map((line) => /^\| .* \| `([-\w= ]*)` \| ([\d,]+) \| (.+) \|$/.exec(line))
  .filter((row) => row !== null)
  .map(
    ([, flags = '', states = '', result = '']): Row => ({
      flags: flags.split(' ').filter((flag) => flag !== '-'),
      states: Number(states.replaceAll(',', '')),
      result,
    }),
  )
/** To be caught takes few states, to hold takes all of them. */
const isShort = ({ states, result }: Row): boolean => states < (result === 'holds' ? 70_000 : 150)
const rows = table.filter((row) => isLong || isShort(row))

test('the table has variants that hold and variants that are caught', () => {
  expect(table.filter(({ result }) => result === 'holds').length).toBeGreaterThan(10)
  expect(table.filter(({ result }) => result !== 'holds').length).toBeGreaterThan(10)
})

test.concurrent.for(rows)(
  '$flags: $result',
  { timeout: 600_000 },
  async ({ flags, result }, { expect, onTestFinished }) => {
    const folder = await mkdtemp(join(tmpdir(), 'owm-model-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    expect(await search(flags, folder)).toBe(result)
  },
)

/** `holds`, or the promise that is broken first. */
async function search(flags: readonly string[], cwd: string): Promise<string> {
  // A cycle in which nothing ends is looked for by another search than a broken promise.
  const isLive = flags.includes('-DLIVE')
  await run('spin', [...flags, '-a', model], { cwd })
  const kind = isLive ? '-DNP' : '-DSAFETY'
  // To optimise takes longer than a short search.
  const optimise = isLong ? '-O2' : '-O0'
  await run('gcc', [optimise, kind, '-DCOLLAPSE', '-DVECTORSZ=2048', '-DMEMLIM=6000', '-w', '-o', 'pan', 'pan.c'], {
    cwd,
  })
  const { stdout } = await run(join(cwd, 'pan'), [...(isLive ? ['-l'] : []), '-m400000', '-w22'], { cwd })
  if (/max search depth too small|out of memory/.test(stdout)) throw new Error(`the search is not complete:\n${stdout}`)
  const [, count] = /errors: (\d+)/.exec(stdout) ?? []
  if (count === '0') return 'holds'
  const [, broken = stdout] = /^pan:1: (?:assertion violated )?(.*?)(?: \(at depth \d+\))?$/m.exec(stdout) ?? []
  return Object.keys(promises).find((name) => promises[name]?.test(broken)) ?? broken
}
