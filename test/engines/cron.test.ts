/**
 * Debian's cron starts README's line, and the one that `owm init --print crontab` gives, with all that its environment
 * lacks. In the long form for some minutes, with an outage: each scheduled time once, and a mail only about the outage.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root } from '../support/cli.js'
import { isLong } from '../support/conditions.js'

const minutes = isLong ? 4 : 0

it('each scheduled time is served once, and mail comes only about trouble', { timeout: 600_000 }, async () => {
  const script = join(root, 'test', 'support', 'try-cron.sh')
  const { stdout } = await promisify(execFile)(script, [String(minutes)])
  expect(stdout).toMatch(minutes > 0 ? /mails 1\n/ : /^slots 1, entries 100, different task ids 100, mails 0\n/)
})
