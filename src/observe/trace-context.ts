/**
 * W3C Trace Context: the trace a start belongs to, as `00-TRACE-SPAN-FLAGS`. owm creates no spans; the span is the
 * caller's.
 */
import { hash } from 'node:crypto'

export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string
  /** 16 hexadecimal digits, not all 0. */
  readonly spanId: string
  /** Two hexadecimal digits: 01 if the trace is sampled. */
  readonly flags: string
}

/** Version, trace, span, flags; versions after 00 may append more. */
const form = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Undefined if the text isn't a valid `traceparent`. */
export function traceContextIn(text: string): TraceContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = form.exec(text) ?? []
  if (version === undefined || (version === '00' && more !== undefined)) return undefined
  return { traceId, spanId, flags }
}

/** The trace of a pipeline's slot if none is given: the same in each process that works on the slot. */
export function traceContextOf(pipeline: string, slot: string): TraceContext {
  const digits = hash('sha256', JSON.stringify([pipeline, slot]), 'hex')
  return { traceId: digits.slice(0, 32), spanId: digits.slice(32, 48), flags: '01' }
}

export const traceparentOf = ({ traceId, spanId, flags }: TraceContext): string => `00-${traceId}-${spanId}-${flags}`
