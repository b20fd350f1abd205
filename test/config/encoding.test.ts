/** Configurations and secrets that aren't in UTF-8: a name in them would match nothing. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { temporaryFolder } from '../support/cli.js'
import { folderOf, minimal, mistakesOf, settingsOf } from './scene.js'

const source = (land: string): object => ({ ...minimal, source: { use: 'simulated-db', where: { [land]: land } } })
const inJson = (land: string): string => JSON.stringify(source(land))
const inYaml = (land: string): string =>
  `# a\nsource: {use: simulated-db, where: {${land}: ${land}}}\nsink: {use: jsonl, path: x}\n`

/** What is said of a file with these bytes; undefined where it is read. */
async function mistakeIn(name: string, bytes: Buffer): Promise<string | undefined> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, name), bytes)
  const read = loadConfig({}, {}, folder)
  return read.then(
    () => undefined,
    (error: Error) => error.message.replaceAll(`${folder}/`, ''),
  )
}

const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le')

describe('in Latin-1', () => {
  it.each([
    ['.owmrc', inYaml],
    ['.owmrc.yaml', inYaml],
    ['.owmrc.yml', inYaml],
    ['.config/owmrc.yaml', inYaml],
    ['.owmrc.json', inJson],
    ['.owmrc.json', (land: string) => inJson(land).replace('{', '{\n')],
    ['package.json', (land: string) => `{"name": "x", "owm": ${inJson(land)}}`],
    ['owm.config.mjs', (land: string) => `export default ${inJson(land)}`],
    ['owm.config.ts', (land: string) => `export default ${inJson(land)}`],
  ])('%s is refused, with the place', async (name, write) => {
    const folder = await folderOf({ [name]: '' })
    const text = write('Österreich')
    await writeFile(join(folder, name), Buffer.from(text, 'latin1'))
    const [before = ''] = text.split('Ö')
    const place = `${before.split('\n').length}:${before.length - before.lastIndexOf('\n')}`
    const why = `${name}:${place} can't be read: it isn't valid UTF-8: save it as UTF-8`
    await expect(loadConfig({}, {}, folder)).rejects.toThrow(why)
    await expect(loadConfig({ config: name }, {}, folder)).rejects.toThrow(why)
    const inUtf8 = await folderOf({ [name]: text })
    expect((await loadConfig({}, {}, inUtf8)).settings.source?.where).toEqual({ Österreich: 'Österreich' })
  })

  it('a file that another one imports', async () => {
    const folder = await folderOf({ '.owmrc.yaml': '$import: ./other.yaml\n' })
    await writeFile(join(folder, 'other.yaml'), Buffer.from(inYaml('Österreich'), 'latin1'))
    await expect(loadConfig({}, {}, folder)).rejects.toThrow(/other\.yaml:2:37 can't be read: it isn't valid UTF-8/)
  })

  it('a comment, and what a manifest says to others, may be in any encoding', async () => {
    const text = inYaml('Austria').replace('# a', '# Österreich')
    expect(await mistakeIn('.owmrc.yaml', Buffer.from(text, 'latin1'))).toBeUndefined()
    const manifest = `{"author": "Jörg", "owm": ${inJson('Austria')}}`
    expect(await mistakeIn('package.json', Buffer.from(manifest, 'latin1'))).toBeUndefined()
  })
})

it.each([
  ['.owmrc.yaml', inYaml('x')],
  ['.owmrc', inYaml('x')],
  ['.owmrc.json', inJson('x')],
  ['owm.config.mjs', `export default ${inJson('x')}`],
  ['sub/package.json', `{"owm": ${inJson('x')}}`],
])('%s in UTF-16 is told as that', async (name, text) => {
  const folder = await folderOf({ [name]: '' })
  const why = async (bytes: Buffer): Promise<void> => {
    await writeFile(join(folder, name), bytes)
    await loadConfig({ config: name }, {}, folder)
  }
  await expect(why(utf16(text))).rejects.toThrow(`${name}:1:1 can't be read: it is UTF-16: save it as UTF-8`)
  await expect(why(utf16(text).swap16())).rejects.toThrow('it is UTF-16')
  await expect(why(utf16(text).subarray(2))).rejects.toThrow('it has NUL characters, so it is damaged, or UTF-16')
})

it('who wrote the character for what is not UTF-8 gets it', async () => {
  const { settings } = await settingsOf({ '.owmrc.yaml': inYaml('\ufffd') })
  expect(settings.source?.where).toEqual({ '\ufffd': '\ufffd' })
})

describe("a secret's file", () => {
  const files = { '.owmrc.yaml': inYaml('x').replace('path: x', 'path: "${file:key}"') }
  async function secretOf(bytes: Buffer): Promise<unknown> {
    const folder = await folderOf(files)
    await writeFile(join(folder, 'key'), bytes)
    return (await loadConfig({}, {}, folder)).settings.sink?.['path']
  }

  it('that is not UTF-8 is refused', async () => {
    const why = /sink\.path in .*:3 needs the file \S+key, which can't be read: /
    for (const bytes of [Buffer.from('Grüße', 'latin1'), utf16('secret'), utf16('secret').subarray(2)]) {
      await expect(secretOf(bytes)).rejects.toThrow(why)
      await expect(secretOf(bytes)).rejects.toThrow(/save it as UTF-8/)
    }
  })

  it('is read without its byte order mark', async () => {
    expect(await secretOf(Buffer.from('\ufeffGrüße\r\n'))).toBe('Grüße')
  })
})

it('a variable whose value is not UTF-8', async () => {
  const files = { '.owmrc.yaml': inYaml('"${LAND}"') }
  expect(await mistakesOf(files, {}, { LAND: '\ufffdsterreich' })).toEqual([
    expect.stringMatching(
      /^source\.where\.\$\{LAND\} in .*:2 needs the environment variable LAND, whose value isn't valid/,
    ),
  ])
})
