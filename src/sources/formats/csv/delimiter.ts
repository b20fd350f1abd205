/** The separator that a line has most of, outside of quotes; undefined where there is no line. */
export function delimiterOf(line: string | undefined, quote: string): string | undefined {
  if (line === undefined) return undefined
  const bare = quote === '' ? line : outsideQuotes(line, quote)
  const counted = [',', ';', '\t', '|'].map((candidate) => ({ candidate, count: bare.split(candidate).length }))
  return counted.reduce((best, next) => (next.count > best.count ? next : best)).candidate
}

const outsideQuotes = (line: string, quote: string): string =>
  line
    .split(quote)
    .filter((_, index) => index % 2 === 0)
    .join('')
