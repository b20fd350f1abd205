/** Exact amounts of money: a price is a decimal number, of which binary fractions lose something. */

/** @returns an amount of `calls` at `price` each, with two decimals, or more where it has more; never rounded */
export function amount(calls: number, price: number): string {
  const { digits, decimals } = decimal(price)
  const text = (BigInt(calls) * digits).toString().padStart(decimals + 1, '0')
  const whole = text.slice(0, text.length - decimals)
  const part = text.slice(text.length - decimals).replace(/0+$/, '')
  return `${whole}.${part.padEnd(2, '0')}`
}

/** A number as it is written: 0.0012 is 12 with four decimals. */
function decimal(price: number): { digits: bigint; decimals: number } {
  const [, whole = '', part = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(price)) ?? []
  const decimals = part.length - Number(exponent)
  const digits = BigInt(whole + part)
  return decimals < 0 ? { digits: digits * 10n ** BigInt(-decimals), decimals: 0 } : { digits, decimals }
}
