/** Redis' protocol, as far as the proxy must know it: https://redis.io/docs/latest/develop/reference/protocol-spec/ */

/** The whole RESP messages at the head of `buffer`; the rest goes to `keep`. */
export function cut(buffer: Buffer, keep: (rest: Buffer) => void): Buffer[] {
  const messages: Buffer[] = []
  let start = 0
  for (let end = endOf(buffer, 0); end !== undefined; end = endOf(buffer, start)) {
    messages.push(buffer.subarray(start, end))
    start = end
  }
  keep(buffer.subarray(start))
  return messages
}

/** Where the RESP value at `start` ends; undefined where it isn't there as a whole yet. */
function endOf(buffer: Buffer, start: number): number | undefined {
  const line = buffer.indexOf('\r\n', start)
  if (line < 0) return undefined
  const type = buffer.toString('latin1', start, start + 1)
  const size = Number(buffer.toString('latin1', start + 1, line))
  let end: number | undefined = line + 2
  if (type === '$' && size >= 0) end += size + 2
  if (type === '*') for (let left = size; left > 0 && end !== undefined; left--) end = endOf(buffer, end)
  return end !== undefined && end <= buffer.length ? end : undefined
}

/** The command of a request, in lower case; of a script of owm's, the script, such as `add`. */
export function nameOf(request: Buffer): string {
  const [, , name = '', , text = ''] = request.toString('latin1', 0, 128).split('\r\n')
  return /^-- owm: (\w+)/.exec(text)?.[1] ?? name.toLowerCase()
}
