/** Exact amounts of money: binary fractions can't represent most decimal prices. */

/** The cost of `calls` at `price` each, never rounded, with at least two decimals. */
export function amount(calls: number, price: number): string {
  const { digits, decimals } = decimal(price)
  const text = (BigInt(calls) * digits).toString().padStart(decimals + 1, '0')
  const whole = text.slice(0, text.length - decimals)
  const part = text.slice(text.length - decimals).replace(/0+$/, '')
  return `${whole}.${part.padEnd(2, '0')}`
}

/** The digits of a number: 0.0012 is 12 with four decimals. */
function decimal(price: number): { digits: bigint; decimals: number } {
  const [, whole = '', part = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(price)) ?? []
  const decimals = part.length - Number(exponent)
  const digits = BigInt(whole + part)
  return decimals < 0 ? { digits: digits * 10n ** BigInt(-decimals), decimals: 0 } : { digits, decimals }
}
