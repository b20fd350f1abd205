/** A hostile configuration costs neither memory nor time: it is an error in words. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { owm, temporaryFolder } from '../support/cli.js'

/** `a1` is ten times `a0`, `a2` ten times `a1`, … */
const lists = (levels: number): string =>
  ['a0: &a0 [x]', ...Array.from({ length: levels }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(10)}]`)].join(
    '\n',
  )

const trees = (levels: number): string =>
  ['a0: &a0 {k: x}', ...Array.from({ length: levels }, (_, n) => `a${n + 1}: &a${n + 1} {l: *a${n}, r: *a${n}}`)].join(
    '\n',
  )

it.each([
  ['lists.yaml', `${lists(9)}\nsource: {use: static-list, locations: *a9}\n`],
  ['trees.yaml', `${trees(40)}\nsource: {use: static-list, locations: [*a40]}\n`],
  ['deep.yaml', `source: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`],
  ['blocks.yaml', `source:\n${Array.from({ length: 5_000 }, (_, n) => `${' '.repeat(n + 1)}a:\n`).join('')}`],
  ['deep.json', `{"source": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ['objects.json', `${'{"source":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
  ['itself.yaml', 'source: &a {use: static-list, locations: [*a]}\n'],
])('%s', async (name, text) => {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, name), text)
  for (const args of [['produce'], ['config', 'show']]) {
    const { code, stderr } = await owm([...args, '--config', name], { cwd, node: ['--max-old-space-size=300'] })
    expect({ code, stderr: stderr.slice(0, 500) }).toEqual({ code: 78, stderr: expect.stringMatching(/^owm: /) })
    expect(stderr).not.toMatch(/call stack|^\s+at /m)
  }
})
