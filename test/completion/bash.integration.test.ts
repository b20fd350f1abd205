import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { slot, snapshot } from '../cli/scene.js'
import { owm, owmJson } from '../support/cli.js'
import { madeScene, type Scene } from './shells.js'

const run = promisify(execFile)
let scene: Scene
beforeAll(async () => {
  scene = await madeScene()
})
afterAll(() => scene.remove())

/** What bash completes where `words` are typed, as it splits them, with the cursor behind the last one. */
async function completed(words: readonly string[], setUp = 'source <(owm autocomplete bash)', cwd = scene.cwd) {
  const ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _owm; printf "%s\\n" "${COMPREPLY[@]}"'
  const bash = ['--norc', '-c', `set -u; ${setUp}; ${ask}`, 'bash', 'owm', ...words]
  const { stdout, stderr } = await run('bash', bash, { cwd, env: scene.env })
  return { words: stdout.split('\n').filter(Boolean), stderr }
}

it.each([
  [['outbox', 'ins'], ['inspect']],
  [['outbox', 'inspect', '--sta'], ['--state']],
  [
    ['outbox', 'inspect', '--state', 'de'],
    ['dead', 'delivered'],
  ],
  [
    ['outbox', 'inspect', '--state', '=', 'de'],
    ['dead', 'delivered'],
  ],
  [
    ['outbox', 'inspect', '--state', '='],
    ['pending', 'dead', 'rejected', 'delivered'],
  ],
  [['flush', '--log-format', 'j'], ['json']],
  [['flush', '--source', 'st'], ['static-list']],
  [
    ['flush', '--pipeline', ''],
    ['hourly', 'daily'],
  ],
  [['produce', '--pipeline', 'hourly', '--slot', slot.slice(0, 8)], [slot]],
  [['produce', '--pipeline', '=', 'hourly', '--slot', slot.slice(0, 13), ':', '0'], [slot.slice(14)]],
  [['produce', '--slot', ''], []],
  [['flush', '--config', '.owm'], ['.owmrc.json']],
  [['flush', '--config', '=', '.owm'], ['.owmrc.json']],
  [['plugins', 'new', 'si'], ['sink']],
])('completes %j', async (words, expected) => {
  expect(await completed(words)).toEqual({ words: expected, stderr: '' })
})

it('completes the ids of runs, and changes nothing to know them', async () => {
  const before = await snapshot(scene.cwd)
  const { words } = await completed(['outbox', 'inspect', '--pipeline', 'hourly', '--run', ''])
  expect(words).toEqual([scene.runId])
  expect(await snapshot(scene.cwd)).toEqual(before)
})

it('says nothing where the configuration has a mistake, is code or a pipe, or the outbox is not one', async () => {
  const cwd = join(scene.cwd, 'wrong')
  await mkdir(cwd)
  const files = {
    'mistake.yaml': 'outbox: {path: [}',
    'code.mjs': "console.log('ran'); export default {outbox: {path: 'o.db'}}",
    'garbage.db': 'garbage',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
  await run('mkfifo', ['pipe'], { cwd })
  const before = await snapshot(cwd)
  for (const flag of [
    ['--config', 'mistake.yaml'],
    ['--config', 'code.mjs'],
    ['--config', 'pipe'],
    ['--outbox', 'garbage.db'],
  ]) {
    const words = ['outbox', 'inspect', ...flag, '--run', '']
    expect(await owm(['autocomplete', 'answer', '--', ...words], { cwd })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    })
  }
  expect(await snapshot(cwd)).toEqual(before)
})

it('goes on for those who have switched it on in an older version, and for their fingers', async () => {
  const { words } = await completed(['plugins', 'sh'], 'eval $(owm autocomplete script bash)')
  expect(words).toEqual(['show'])
  const { code, stdout } = await owm(['autocomplete', '--refresh-cache'], { env: { SHELL: '/bin/zsh' } })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('>> ~/.zshrc') })
  const { json } = await owmJson<object>(['autocomplete', 'zsh'])
  expect(json).toEqual({ shell: 'zsh', script: stdout })
  expect(await owm(['autocomplete', 'tcsh'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('bash, zsh, fish'),
  })
})
