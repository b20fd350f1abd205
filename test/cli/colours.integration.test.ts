/** Colours: at a terminal that shows them, unless somebody doesn't want them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { painted } from '../../src/cli/output.js'
import { bin, owm } from '../support/cli.js'

const red = '\u001b[31mowm:\u001b[39m Nonexistent flag'

it.each([
  [{ TERM: 'xterm-256color' }, true],
  [{ TERM: 'xterm-256color', NO_COLOR: '1' }, false],
  [{ TERM: 'dumb' }, false],
])('at a terminal with %o: %s', async (env, isColoured) => {
  const { PATH = '', HOME = '' } = process.env
  const call = `'${process.execPath}' '${bin}' produce --nonsense; true`
  const { stdout } = await promisify(execFile)('script', ['-qec', call, '/dev/null'], { env: { PATH, HOME, ...env } })
  expect(stdout).toContain('Nonexistent flag')
  expect(stdout.includes(red)).toBe(isColoured)
})

it('in a pipe: none, but where FORCE_COLOR asks for them', async () => {
  expect((await owm(['produce', '--nonsense'])).stderr).toMatch(/^owm: Nonexistent flag/)
  expect((await owm(['produce', '--nonsense'], { env: { FORCE_COLOR: '1' } })).stderr).toContain(red)
})

it.each([
  ['wrong   redis-reachable: no', '\u001b[31mwrong\u001b[39m   redis-reachable: no'],
  ['owm: warning: wrong failed', '\u001b[33mowm: warning:\u001b[39m wrong failed'],
  ['2026-11-23T10:00:00Z  1b4e28ba  failed  4', '2026-11-23T10:00:00Z  1b4e28ba  \u001b[31mfailed\u001b[39m  4'],
  ['2026-11-23T10:00:00Z  different  4', '2026-11-23T10:00:00Z  \u001b[31mdifferent\u001b[39m  4'],
  ['2026-11-23T10:00:00Z  1b4e28ba  done  4', '2026-11-23T10:00:00Z  1b4e28ba  done  4'],
  ['{"city":"wrong "}', '{"city":"wrong "}'],
])('%j', (line, shown) => {
  expect(painted(line)).toBe(shown)
})
