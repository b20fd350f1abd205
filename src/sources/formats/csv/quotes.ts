/** Counts the quotes in a line; those behind an escape don't count. */
export function quoteCounter(quote: string, escaping: string): (line: string) => number {
  if (quote === '') return () => 0
  return (line) => {
    let count = 0
    for (let at = line.indexOf(quote); at >= 0; at = line.indexOf(quote, at + 1))
      if (escaping === quote || !isEscaped(line, at, escaping)) count++
    return count
  }
}

/** Whether an odd number of escapes stands before a place. */
function isEscaped(line: string, at: number, escaping: string): boolean {
  let before = at
  while (before > 0 && line[before - 1] === escaping) before--
  return (at - before) % 2 === 1
}
