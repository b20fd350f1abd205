import { expect, test } from 'vitest'
import { traceContextIn, traceContextOf, traceparentOf } from '../../src/observe/trace-context.js'

const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']

test('a traceparent is read as the specification says', () => {
  expect(traceContextIn(`00-${trace}-${span}-01`)).toEqual({ traceId: trace, spanId: span, flags: '01' })
  // A later version may have more; it is passed on as version 00.
  const later = traceContextIn(`cc-${trace}-${span}-00-what-the-future`)
  expect(later && traceparentOf(later)).toBe(`00-${trace}-${span}-00`)
  const wrong = [
    '',
    'garbage',
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span}-1`,
    ` 00-${trace}-${span}-01`,
    `00-${trace}-${span}-01\n`,
  ]
  expect(wrong.filter((text) => traceContextIn(text))).toEqual([])
})

test('without one each slot of each pipeline is a trace of its own, the same in every process', () => {
  const of = (pipeline: string, slot: string): string => traceparentOf(traceContextOf(pipeline, slot))
  const [ten, eleven] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z']
  // Processes of other versions must find the same: these digits may not change.
  expect(of('hourly', ten)).toBe('00-b5e191885bef1bd9f5c1813e4cacba55-e2c9f31f1e6a1f83-01')
  expect(new Set([of('hourly', ten), of('hourly', eleven), of('daily', ten), of('', `hourly${ten}`)]).size).toBe(4)
})
