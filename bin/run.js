#!/usr/bin/env node
const { join } = require('node:path')
const { load, useCodeCache } = require('../dist/load.cjs')

async function run() {
  useCodeCache(process.argv.slice(2))
  await load('cli').execute({ dir: join(__dirname, '..') })
  // Once nothing is left to wait for: to take V8's heap apart takes longer than to leave it.
  process.once('beforeExit', () => process.exit())
  // The work is done and said: a plugin that left something open must not keep a cron job alive.
  setTimeout(() => process.exit(), 2_000).unref()
}
void run()
