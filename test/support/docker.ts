/**
 * A Docker engine for a test file: the one that answers, or one of its own (docker-engine.sh); and images of programs
 * that are installed here, since none can be pulled.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { root } from './cli.js'

const run = promisify(execFile)

export interface Docker {
  /** The environment that docker's programs find the engine by. */
  readonly env: NodeJS.ProcessEnv
  /** An image with the installed Node, for `npm run image`. */
  readonly base: string
  /** Runs `docker …` and gives what it prints. Rejects with `code` and `stderr` where it fails. */
  docker(...args: string[]): Promise<string>
  /** Starts a container in the background; gives its id. */
  start(...args: string[]): Promise<string>
  /** Makes owm's image, as `npm run image` does; gives its name and what was printed. */
  owmImage(): Promise<{ image: string; printed: string }>
  /** A container with Redis; gives its id. It has no port on this machine: others join its network. */
  redis(): Promise<string>
  /** Removes what was started with it, and these volumes; ends the engine where it was started here. */
  stop(...volumes: string[]): Promise<void>
}

export async function startDocker(): Promise<Docker> {
  // As long as its standard input is open.
  const engine = spawn(script('docker-engine.sh'), ['sh', '-c', 'echo "${DOCKER_HOST-}"; read -r _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [host = ''] = await Promise.race([
    once(createInterface(engine.stdout), 'line'),
    once(engine, 'exit').then(() => Promise.reject(new Error('no Docker engine: see above'))),
  ])
  const env = { ...process.env, ...(host === '' ? {} : { DOCKER_HOST: String(host) }) }
  const docker = async (...args: string[]): Promise<string> => (await run('docker', args, { env })).stdout.trim()
  const containers: string[] = []
  const base = 'owm-test-base:local'
  async function start(...args: string[]): Promise<string> {
    const id = await docker('run', '--detach', ...args)
    containers.push(id)
    return id
  }
  return {
    env,
    base,
    docker,
    start,
    async owmImage() {
      await run(script('local-image.sh'), [base, 'node', 'tini', 'env'], { env })
      const image = 'owm-test:local'
      const args = [join(root, 'scripts', 'image.mjs'), '--base', base, '--tag', image]
      return { image, printed: (await run(process.execPath, args, { env })).stdout }
    },
    async redis() {
      const image = 'owm-test-redis:local'
      await run(script('redis-image.sh'), [image], { env })
      return start(image)
    },
    async stop(...volumes) {
      if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers)
      if (volumes.length > 0) await docker('volume', 'rm', '--force', ...volumes)
      const ended = once(engine, 'exit')
      engine.stdin.end()
      await ended
    },
  }
}

const script = (name: string): string => join(root, 'test', 'support', name)
