/** A TCP proxy in front of a PostgreSQL that breaks a connection at a COMMIT: before the server sees it, or behind. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface PostgresProxy {
  readonly port: number
  /** COMMITs that came, and those at which the connection was broken. */
  readonly counts: { commits: number; broken: number }
  /** What becomes of the `n`-th COMMIT from now on: `lost`, or `answer lost` once the server has applied it. */
  atCommit(n: number, fault: 'lost' | 'answer lost'): void
  stop(): Promise<void>
}

/** As pg sends it: a message `Q` of its own. */
const commit = Buffer.from('COMMIT\0')

export async function startPostgresProxy(port: number): Promise<PostgresProxy> {
  const counts = { commits: 0, broken: 0 }
  const faults = new Map<number, 'lost' | 'answer lost'>()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let isCut = false
    const end = (): void => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', end)
    }
    client.on('data', (bytes: Buffer) => {
      const fault = bytes.includes(commit) ? faults.get(++counts.commits) : undefined
      if (fault !== undefined) counts.broken++
      if (fault === 'lost') return end()
      isCut = fault !== undefined
      upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      if (isCut) end()
      else client.write(bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    counts,
    atCommit: (n, fault) => void faults.set(counts.commits + n, fault),
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
