/** What the doctors of sinks have in common where the sink is a server. */
import { isIP } from 'node:net'
import type { Diagnosis } from '../plugin.js'

/** Whether what goes to a host stays on this machine. */
export const isThisMachine = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** Those of the codes under which nothing was found, with the reason. */
export const unasked = (codes: readonly string[], found: readonly Diagnosis[], why: string): Diagnosis[] =>
  codes
    .filter((code) => !found.some((one) => one.code === code))
    .map((code) => ({ code, verdict: 'unknown', found: why }))
