import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { slot } from '../cli/scene.js'
import { madeScene, type Scene } from './shells.js'

const run = promisify(execFile)
let scene: Scene
beforeAll(async () => {
  scene = await madeScene()
})
afterAll(() => scene.remove())

/** Types each line and a TAB at a terminal of zsh's own, and gives what then stands there. */
const typing = `
zmodload zsh/zpty
zpty terminal zsh -i
zpty -r terminal said '*ready*'
for line; do
  zpty -w -n terminal "$line"$'\\t\\x18'
  zpty -r terminal said '*<<*>>*'
  print -r -- "\${\${said##*<<}%%>>*}"
done`
const profile = `
source <(owm autocomplete zsh)
show() { print -r -- "<<$BUFFER>>"; BUFFER= }
zle -N show
bindkey '^X' show
print ready`

const lines = (): [string, string][] => [
  ['owm outbox ins', 'owm outbox inspect '],
  ['owm outbox inspect --state dea', 'owm outbox inspect --state dead '],
  ['owm outbox inspect --state=dea', 'owm outbox inspect --state=dead '],
  [`owm produce --pipeline hourly --slot ${slot.slice(0, 14)}`, `owm produce --pipeline hourly --slot ${slot} `],
  ['owm outbox inspect --pipeline=hourly --run ', `owm outbox inspect --pipeline=hourly --run ${scene.runId} `],
  ['owm flush --config .owm', 'owm flush --config .owmrc.json '],
  ['owm flush --config=.owm', 'owm flush --config=.owmrc.json '],
  ['owm produce --slot ', 'owm produce --slot '],
]

it('zsh completes at a terminal, with the line that docs/commands.md has for its profile', async () => {
  await writeFile(join(scene.cwd, '.zshrc'), profile)
  const given = lines().map(([line]) => line)
  const env = { ...scene.env, ZDOTDIR: scene.cwd }
  const { stdout } = await run('zsh', ['-f', '-c', typing, 'zsh', ...given], { cwd: scene.cwd, env })
  expect(stdout.split('\n').slice(0, -1)).toEqual(lines().map(([, line]) => line))
})

it('fish completes', async () => {
  const ask = 'owm autocomplete fish | source; for line in $argv; complete -C $line; echo .; end'
  const given = lines().map(([line]) => line)
  const { stdout } = await run('fish', ['--no-config', '-c', ask, ...given], { cwd: scene.cwd, env: scene.env })
  const answers = stdout.replace(/\t.*/g, '').split('.\n')
  const expected = lines().map(([, line]) => (line.endsWith('--slot ') ? '' : line.trimEnd().replace(/.* /, '')))
  expect(answers).toEqual([...expected.map((word) => (word === '' ? '' : `${word}\n`)), ''])
})
