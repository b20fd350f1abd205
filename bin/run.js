#!/usr/bin/env node
import module from 'node:module'
import { join } from 'node:path'

// Node 22.8 and newer keep compiled code between starts. Not in /tmp, Node's default: others could put code there.
const { HOME } = process.env
if (HOME) module.enableCompileCache?.(join(HOME, '.cache', 'owm'))
const { execute } = await import('../dist/cli/main.js')
await execute({ dir: import.meta.url })
// The work is done and reported: a plugin that left something open must not keep a cron job alive.
setTimeout(() => process.exit(), 2_000).unref()
