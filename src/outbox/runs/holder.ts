/** Who holds an outbox, or held it last: JSON `{pid, host, command, since}` in its state. */
import { hostname } from 'node:os'
import { codeOf } from '../../errors/index.js'

export interface Holder {
  pid: number
  host: string
  command: string
  since: string
}

/** Undefined where nobody wrote it, and where it is known that this process is gone. */
export function holderIn(text: string | null): Holder | undefined {
  const found: unknown = parsed(text)
  if (typeof found !== 'object' || found === null) return undefined
  if (!('pid' in found && 'host' in found && 'command' in found && 'since' in found)) return undefined
  const { pid, host, command, since } = found
  // The last one's name stays until the next one, which has the lock already, writes its own.
  if (host === hostname() && !isAlive(Number(pid))) return undefined
  return { pid: Number(pid), host: String(host), command: String(command), since: String(since) }
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM' // somebody else's
  }
}
