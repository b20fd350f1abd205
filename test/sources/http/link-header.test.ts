/** The header `Link`, as servers write it. */
import { expect, test } from 'vitest'
import { nextLink } from '../../../src/sources/http/pagination/link-header.js'

test.each<[header: string, next: string | undefined]>([
  ['', undefined],
  ['</?page=2>; rel="next"', '/?page=2'],
  ['</?page=2>;rel=next', '/?page=2'],
  ['</?page=2> ; REL = "prev NEXT"', '/?page=2'],
  ['</?page=1>; rel="prev", </?page=3>; rel="next", </?page=9>; rel="last"', '/?page=3'],
  ['</?a=1,2;3>; rel="next"', '/?a=1,2;3'],
  ['</first>; title="a <b>, c; rel=next"; rel="first", </second>; rel="next"', '/second'],
  ['</first>; title="less than <"; rel="first", </second>; rel="next"', '/second'],
  ['</first>; title="a \\" <quote>, </no>; rel=\\"next\\""; rel="first", </second>; rel=next', '/second'],
  ['</second>; title="page 2, of <many>"; rel="next"', '/second'],
  ['</no>; rel="first"; rel="next", </yes>; rel="next"', '/yes'],
  ['</no>; rel="next-archive", </no>; rev="next"', undefined],
  ["</yes>; title*=UTF-8''n%c3%a4chste; rel=next; crossorigin", '/yes'],
  [', </yes>; rel=next;,', '/yes'],
  ['</yes>; rel="http://www.iana.org/assignments/relation/next"', '/yes'],
  ['<>; rel=next', ''],
])('%s', (header, next) => {
  expect(nextLink(header)).toBe(next)
})

test.each(['/?page=2; rel=next', '</a>; rel="first", /b; rel=next', '</a>; rel="next'])(
  '%s is no list of links',
  (header) => {
    expect(() => nextLink(header)).toThrow(/no link at character/)
  },
)
