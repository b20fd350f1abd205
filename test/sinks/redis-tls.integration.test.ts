/** Redis behind TLS, with real certificates: what is refused, and a URL that says the wrong protocol. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { retriesIn, slot } from '../support/redis-scene.js'

const folder = mkdtempSync(join(tmpdir(), 'owm-test-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const dates = { valid: ['200101000000Z', '400101000000Z'], early: ['400101000000Z', '410101000000Z'] } as const

/** A certificate that signs itself, for 127.0.0.1, with these dates. */
function certificate(name: keyof typeof dates): void {
  const at = join(folder, name)
  mkdirSync(at)
  writeFileSync(join(at, 'index.txt'), '')
  writeFileSync(join(at, 'serial'), '01\n')
  const config = `[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256
policy=p\nx509_extensions=v\n[p]\ncommonName=supplied\n[v]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:true\n`
  writeFileSync(join(at, 'conf'), config)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: at, stdio: 'ignore' })
  openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'csr', '-subj', '/CN=owm-test')
  const [from, to] = dates[name]
  const when = ['-startdate', from, '-enddate', to]
  openssl('ca', '-config', 'conf', '-selfsign', '-batch', '-keyfile', 'key', '-in', 'csr', '-out', 'crt', ...when)
}

beforeAll(() => {
  certificate('valid')
  certificate('early')
})

async function tlsServer(name: keyof typeof dates, ...args: string[]): Promise<{ plain: number; tls: number }> {
  const file = (what: string): string => join(folder, name, what)
  const tls = ['--tls-cert-file', file('crt'), '--tls-key-file', file('key'), '--tls-ca-cert-file', file('crt')]
  // Its plain port is only asked whether it has started.
  const free = await startRedisProcess()
  await free.stop()
  const redis = await startRedisProcess({ args: ['--tls-port', `${free.port}`, ...tls, ...args] })
  onTestFinished(() => redis.stop())
  return { plain: redis.port, tls: free.port }
}

async function produce(url: string, trusted?: keyof typeof dates, tls?: object): Promise<Ran> {
  const cwd = await folderWith({
    source: { use: 'static-list', locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }] },
    sink: { use: 'redis-stream', url, connectTimeoutMs: 1_500, ...(tls && { tls }) },
    outbox: { path: './o.db' },
    retry: { attempts: 3, initialDelayMs: 20, maxDelayMs: 50 },
  })
  const env = trusted && { NODE_EXTRA_CA_CERTS: join(folder, trusted, 'crt') }
  return owm(['produce', '--slot', slot], { cwd, ...(env && { env }) })
}

it('a trusted certificate: delivered', async () => {
  const { tls } = await tlsServer('valid', '--tls-auth-clients', 'no')
  const ran = await produce(`rediss://127.0.0.1:${tls}`, 'valid')
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
})

it('redis:// on a TLS port, and the reverse: told as that, 78', async () => {
  const { plain, tls } = await tlsServer('valid', '--tls-auth-clients', 'no')
  const toTls = await produce(`redis://127.0.0.1:${tls}`, 'valid')
  expect(toTls).toMatchObject({ code: 75, stderr: expect.stringMatching(/speaks TLS[\s\S]*rediss:\/\//) })
  const toPlain = await produce(`rediss://127.0.0.1:${plain}`, 'valid')
  expect(toPlain).toMatchObject({ code: 78, stderr: expect.stringMatching(/doesn't speak TLS[\s\S]*redis:\/\//) })
  expect(retriesIn(toPlain)).toBe(0)
})

it.each([[], ['--tls-protocols', 'TLSv1.2']])(
  'a server that wants a certificate of its client: 78 %s',
  async (...args) => {
    const { tls } = await tlsServer('valid', ...args)
    const ran = await produce(`rediss://127.0.0.1:${tls}`, 'valid')
    expect(ran, ran.stderr).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/refused the TLS conn.*\n.*tls-auth/),
    })
  },
)

const file = (name: keyof typeof dates, what: string): string => join(folder, name, what)

it('sink.tls: an authority, a certificate and its key, by their files or as text; another name', async () => {
  const { tls } = await tlsServer('valid')
  const url = `rediss://127.0.0.1:${tls}`
  const [ca, cert, key] = ['crt', 'crt', 'key'].map((what) => file('valid', what))
  expect(await produce(url, undefined, { ca, cert, key })).toMatchObject({ code: 0, stderr: '' })
  const text = { ca: `\${file:${ca}}`, cert: `\${file:${cert}}`, key: `\${file:${key}}` }
  expect(await produce(url, undefined, text)).toMatchObject({ code: 0, stderr: '' })
  const unnamed = await produce(url, undefined, { ca, cert, key, serverName: 'redis.example.com' })
  expect(unnamed).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/not trusted: [\s\S]*sink\.tls\.serverName/),
  })
})

it('what owm doctor has to paste speaks TLS, too', async () => {
  const { tls } = await tlsServer('valid')
  const [ca, cert, key] = ['crt', 'crt', 'key'].map((what) => file('valid', what))
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 3 },
    sink: { use: 'redis-stream', url: `rediss://127.0.0.1:${tls}`, tls: { ca, cert, key } },
    outbox: { path: './o.db' },
  })
  expect((await owm(['produce'], { cwd })).code).toBe(0)
  const todo = async (): Promise<string | undefined> =>
    /do: Make a group.*`(redis-cli [^`]+)`/.exec((await owm(['doctor'], { cwd })).stdout)?.[1]
  copyFileSync(key ?? '', join(cwd, 'key.pem')) // which the finding says, too
  expect(execFileSync('sh', ['-c', (await todo()) ?? ''], { cwd, encoding: 'utf8' })).toBe('OK\n')
  expect(await todo()).toBeUndefined()
})

it('sink.tls that cannot be used is told before anything is sent', async () => {
  const [ca, early] = [file('valid', 'crt'), file('early', 'key')]
  const url = 'rediss://127.0.0.1:1'
  const missing = await produce(url, undefined, { ca: './missing.pem' })
  expect(missing).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/sink\.tls\.ca can't be read: .*missing\.pem/),
  })
  const noPem = await produce(url, undefined, { ca: join(folder, 'valid', 'serial') })
  expect(noPem).toMatchObject({ code: 78, stderr: expect.stringMatching(/no certificates that can be used[\s\S]*PEM/) })
  const other = await produce(url, undefined, { ca, cert: ca, key: early })
  expect(other).toMatchObject({ code: 78, stderr: expect.stringMatching(/can be used: .*mismatch/) })
})

it('a certificate that nobody vouches for is 78, one that is not valid yet 75', async () => {
  const [valid, early] = [await tlsServer('valid'), await tlsServer('early')]
  expect(await produce(`rediss://127.0.0.1:${valid.tls}`, 'early')).toMatchObject({ code: 78 })
  const ran = await produce(`rediss://127.0.0.1:${early.tls}`, 'early')
  expect(ran, ran.stderr).toMatchObject({ code: 75, stderr: expect.stringMatching(/not yet valid[\s\S]*clock/) })
})
