/** A file of tasks in a folder where another user may put files, too. */
import { execFile } from 'node:child_process'
import { chmod, chown, lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { base, jsonl } from '../cli/scene.js'
import { folderWith, owm, type Ran, temporaryFolder } from '../support/cli.js'
import { describeWithStranger } from '../support/users.js'

const config = { ...base, sink: { ...jsonl, path: './shared/tasks.jsonl' } }

async function shared(mode = 0o1777): Promise<{ cwd: string; path: string }> {
  const cwd = await folderWith(config)
  await chmod(cwd, 0o755)
  await mkdir(join(cwd, 'shared'))
  await chmod(join(cwd, 'shared'), mode)
  return { cwd, path: join(cwd, 'shared', 'tasks.jsonl') }
}

const good = (ran: Ran): void => expect(ran, ran.stderr).toMatchObject({ code: 0 })

function expectRefused({ code, stderr, stdout }: Ran, why: RegExp): void {
  expect(code, stderr).toBe(78)
  expect(stderr + stdout).toMatch(why)
  expect(stderr + stdout).toMatch(/sink\.path/)
  expect(stderr).not.toMatch(/--outbox|sudo/)
}

describeWithStranger("a stranger's", (stranger) => {
  test.each([
    ['link', 'ln -s "$PRECIOUS" shared/tasks.jsonl', /symbolic link/],
    ['link to nothing', 'ln -s "$PRECIOUS"-new shared/tasks.jsonl', /symbolic link/],
    ['file', 'touch shared/tasks.jsonl; chmod 666 shared/tasks.jsonl', /belongs to user[\s\S]*run owm as that user/],
    ['pipe', 'mkfifo -m 666 shared/tasks.jsonl', /isn't a regular file/],
    ['lock', 'touch shared/tasks.jsonl.lock', /belongs to user \d+, .*\n.*Find out who put it there/],
    ['receipts', 'touch shared/tasks.jsonl.receipts', /belongs to user \d+, .*\n.*Find out who put it there/],
  ])('%s is not written to', async (_, script, why) => {
    const { cwd } = await shared()
    const precious = join(cwd, 'precious')
    await writeFile(precious, '')
    await stranger().sh(`PRECIOUS='${precious}'; ${script}`, cwd)
    if (why.source !== /belongs to user \d+, .*\n.*Find out who put it there/.source)
      expectRefused(await owm(['config', 'check'], { cwd }), why)
    expectRefused(await owm(['produce'], { cwd }), why)
    expect((await lstat(precious)).size).toBe(0)
    await expect(lstat(`${precious}-new`)).rejects.toThrow('ENOENT')
    for (const ending of ['', '.lock', '.receipts'])
      await rm(join(cwd, 'shared', `tasks.jsonl${ending}`), { force: true })
    good(await owm(['flush'], { cwd }))
  })

  test('folder holds no configuration of ours, and no link of theirs is written through', async () => {
    const theirs = await temporaryFolder()
    await chown(theirs, stranger().uid, stranger().uid)
    expect(await owm(['init'], { cwd: theirs })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('owm init'),
    })
    good(await owm(['init', '--trust-folder'], { cwd: theirs }))
    const cwd = await temporaryFolder()
    await chmod(cwd, 0o1777)
    await writeFile(join(cwd, 'precious'), 'mine')
    await stranger().sh('ln -s precious owm.schema.json', cwd)
    expect(await owm(['init'], { cwd })).toMatchObject({ code: 78, stderr: expect.stringContaining('symbolic link') })
    expect(await readFile(join(cwd, 'precious'), 'utf8')).toBe('mine')
    await rm(join(cwd, 'owm.schema.json'))
    good(await owm(['init'], { cwd }))
  })
})

describeWithStranger("one's own", (stranger) => {
  test("file, pipe and links go on working, but no link to a stranger's file", async () => {
    const { cwd, path } = await shared()
    good(await owm(['produce'], { cwd }))
    good(await owm(['produce'], { cwd }))
    const link = join(cwd, 'link.jsonl')
    const toLink = ['produce', '--set', 'sink.path=./link.jsonl', '--outbox', 'link.db']
    await symlink(path, link)
    good(await owm(toLink, { cwd }))
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(60)
    await rm(path)
    await stranger().sh('touch shared/tasks.jsonl', cwd)
    expectRefused(await owm(toLink, { cwd }), /belongs to user/)
    await rm(path)
    await promisify(execFile)('mkfifo', [path])
    const reader = promisify(execFile)('cat', [path])
    good(await owm(['produce', '--outbox', 'pipe.db'], { cwd }))
    expect((await reader).stdout.trimEnd().split('\n')).toHaveLength(20)
  })
})
