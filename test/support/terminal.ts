/** `owm init` with somebody at a terminal. */
import { spawn } from 'node:child_process'
import { bin } from './cli.js'

/** Each answer is typed when its question is there. Gives all that the terminal showed. */
export function atTerminal(
  cwd: string,
  home: string,
  answers: readonly string[],
): Promise<{ code: number | null; shown: string }> {
  const { PATH = '' } = process.env
  const call = `'${process.execPath}' '${bin}' init`
  const child = spawn('script', ['-qec', call, '/dev/null'], { cwd, env: { PATH, HOME: home, TERM: 'xterm' } })
  const left = [...answers]
  let [shown, seen] = ['', 0]
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    const answer = /\] /.test(shown.slice(seen)) ? left.shift() : undefined
    if (answer === undefined) return
    seen = shown.length
    child.stdin.write(answer)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, shown })))
}
