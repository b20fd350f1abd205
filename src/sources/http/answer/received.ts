/** An answer as a server sent it. */

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** The encodings that are left on the body: owm decodes gzip and deflate. */
  readonly encodings: readonly string[]
  /** The URL after all redirects. */
  readonly url: URL
  /** Whether they led to a path with another last name. */
  readonly isElsewhere: boolean
}

export const isGood = (status: number): boolean => status >= 200 && status < 300

export const headerOf = (headers: Answer['headers'], name: string): string => [headers[name] ?? []].flat().join(', ')
