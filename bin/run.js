#!/usr/bin/env node
// First of all: as process 1 of a container, a process without a handler never sees a signal. A command sets its own.
process.on('SIGINT', () => process.exit(130))
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(143))

const { mkdirSync } = process.getBuiltinModule('node:fs')
const { enableCompileCache } = process.getBuiltinModule('node:module')
const { userInfo } = process.getBuiltinModule('node:os')
try {
  userInfo()
} catch {
  // A user id that /etc/passwd doesn't have, as containers are often given: libraries would fail for want of these.
  process.env.HOME ??= '/'
  process.env.SHELL ??= '/bin/sh'
}
// Node 22.8 and newer keep compiled code between starts. Not in /tmp, Node's default: others could put code there.
const cache = `${process.env.HOME}/.cache`
if (enableCompileCache && cache.startsWith('/') && isMade(cache)) enableCompileCache(`${cache}/owm`)

/** Node would make it, too, and never end where the system makes no folders, as in /proc. */
function isMade(folder) {
  try {
    mkdirSync(folder)
    return true
  } catch (error) {
    return error.code === 'EEXIST'
  }
}

try {
  const { execute } = await import('../dist/cli/main.js')
  await execute(import.meta.url)
} catch (error) {
  // Not even the start could be loaded.
  const isFull = error.code === 'EMFILE'
  const hint = isFull ? 'Raise the limit of open files: ulimit -n 1024' : 'Install owm again.'
  process.stderr.write(`owm: ${error.message}\n     ${hint}\n`)
  process.exitCode = isFull ? 78 : 70
}
// The work is done and reported: a plugin that left something open must not keep a cron job alive.
setTimeout(() => process.exit(), 2_000).unref()
