/** A hostile configuration costs neither memory nor time: it is an error in words. */
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { base, type Counts } from '../cli/scene.js'
import { folderWith, owm, owmJson, startOwm, temporaryFolder } from '../support/cli.js'

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

it.each([
  ['lists.yaml', `${lists(9)}\nlocations: *a9\n`],
  ['trees.yaml', `${trees(40)}\nlocations: [*a40]\n`],
  ['many.yaml', `${trees(14)}\nlocations: [${'*a14,'.repeat(50_000)}]\n`],
  ['itself.yaml', '- &a {city: Bern, latitude: 46.9, longitude: 7.4, me: *a}\n'],
  ['nobody.yaml', '- {city: Bern, latitude: 46.9, longitude: 7.4, me: *a}\n'],
  ['deep.yaml', `${'['.repeat(20_000)}${']'.repeat(20_000)}\n`],
])('%s as a list of locations', async (file, text) => {
  const cwd = await folderWith({ ...base, source: { use: 'static-list', file } })
  await writeFile(join(cwd, file), text)
  const { code, stderr } = await owm(['produce'], { cwd, node: ['--max-old-space-size=300'] })
  expect({ code, stderr: stderr.slice(0, 500) }).toEqual({
    code: 78,
    stderr: expect.stringMatching(/^owm: The list \S+ isn't valid YAML: /),
  })
  expect(stderr).not.toMatch(/call stack|resource exhaustion|^\s+at /m)
})

it('a list may repeat what its entries share, thousands of times', async () => {
  const cwd = await folderWith({ ...base, source: { use: 'static-list', file: 'shared.yaml' } })
  const entries = Array.from({ length: 3_000 }, (_, n) => `- {<<: *d, latitude: ${n / 100}}\n`)
  await writeFile(join(cwd, 'shared.yaml'), `d: &d {city: Bern, longitude: 7.4}\nlocations:\n${entries.join('')}`)
  const { code, json } = await owmJson<Counts>(['produce'], { cwd })
  expect({ code, read: json.source.read, delivered: json.sink.delivered }).toEqual({
    code: 0,
    read: 3_000,
    delivered: 3_000,
  })
})

it('a pipe that is named is read, and one without a writer is not waited for', async () => {
  const cwd = await temporaryFolder()
  execFileSync('mkfifo', [join(cwd, 'pipe')])
  const quiet = await owm(['produce', '--config', 'pipe'], { cwd })
  expect(quiet).toMatchObject({ code: 78, stderr: expect.stringContaining('it is a pipe, and nobody writes to it') })
  const show = startOwm(['config', 'show', '--config', 'pipe'], { cwd })
  // Opens when the other side does.
  await writeFile(join(cwd, 'pipe'), `# ${'-'.repeat(100_000)}\nsource: {use: simulated-db, count: 41}\n`)
  expect(await show.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/source.count +41 +pipe:2/) })
  const check = startOwm(['config', 'check', '--config', 'pipe'], { cwd })
  await writeFile(
    join(cwd, 'pipe'),
    'source: {use: simulated-db}\nsink: {use: jsonl, path: t.jsonl}\npipelines: {a: {}, b: {}}\n',
  )
  const all = expect.stringMatching(/a: source: simulated-db[\s\S]*b: source: simulated-db/)
  expect(await check.ended).toMatchObject({ stdout: all })
})
