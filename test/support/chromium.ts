/** A headless Chromium, driven through its DevTools protocol: https://chromedevtools.github.io/devtools-protocol/ */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'

interface Message {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

export interface Look {
  /** CSS pixels. */
  width: number
  height: number
  theme: 'light' | 'dark'
}

export class Chromium {
  /** What the page asked for, and what its console said. */
  readonly requests: string[] = []
  readonly complaints: string[] = []
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #to: Writable
  readonly #waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }
  >()
  readonly #loaded: (() => void)[] = []
  #session = ''
  #last = 0

  private constructor(process: ChildProcess, folder: string, to: Writable, from: Readable) {
    this.#process = process
    this.#folder = folder
    this.#to = to
    let rest = ''
    from.setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (rest + chunk).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.#take(JSON.parse(message))
    })
    process.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium ended'))
    })
  }

  static async start(): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), 'owm-chromium-'))
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-pipe']
    const child = spawn('chromium', [...flags, `--user-data-dir=${folder}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    const [, , , to, from] = child.stdio
    if (!to || !from || !('write' in to) || !('read' in from)) throw new Error('Chromium has no pipes')
    const chromium = new Chromium(child, folder, to, from)
    const { targetId } = await chromium.call('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await chromium.call('Target.attachToTarget', { targetId, flatten: true })
    chromium.#session = String(sessionId)
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await chromium.call(`${domain}.enable`)
    return chromium
  }

  call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last
    const session = this.#session === '' ? {} : { sessionId: this.#session }
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#to.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    })
  }

  /** Opens a file, and waits until it is loaded. */
  async open(file: string, { width, height, theme }: Look): Promise<void> {
    const device = { width, height, deviceScaleFactor: 1, mobile: width < 600 }
    await this.call('Emulation.setDeviceMetricsOverride', device)
    await this.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] })
    const loaded = new Promise<void>((resolve) => this.#loaded.push(resolve))
    await this.call('Page.navigate', { url: pathToFileURL(file).href })
    await loaded
    await this.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const given = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', given)
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
    return typeof result === 'object' && result !== null && 'value' in result ? result.value : undefined
  }

  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === 'Enter' ? { text: '\r' } : {}
    await this.call('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text })
    await this.call('Input.dispatchKeyEvent', { type: 'keyUp', key })
  }

  /** A PNG of what is seen. */
  async picture(): Promise<Buffer> {
    const { data } = await this.call('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(String(data), 'base64')
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGKILL')
    await ended
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 })
  }

  #take({ id, method, params = {}, result, error }: Message): void {
    const waiting = this.#waiting.get(id ?? 0)
    this.#waiting.delete(id ?? 0)
    if (error) waiting?.reject(new Error(error.message))
    else waiting?.resolve(result ?? {})
    if (method === 'Page.loadEventFired') this.#loaded.shift()?.()
    const { request, exceptionDetails, entry } = params
    if (method === 'Network.requestWillBeSent' && typeof request === 'object' && request && 'url' in request)
      this.requests.push(String(request.url))
    if (exceptionDetails ?? entry) this.complaints.push(JSON.stringify(exceptionDetails ?? entry))
  }
}
