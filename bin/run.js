#!/usr/bin/env node
import module from 'node:module'

// Node 22.8 and newer keep compiled code between starts.
module.enableCompileCache?.()
const { execute } = await import('../dist/cli/main.js')
await execute({ dir: import.meta.url })
// The work is done and reported: a plugin that left something open must not keep a cron job alive.
setTimeout(() => process.exit(), 2_000).unref()
