/** A list is the same one once the keys in its address are changed; what version 1.0.0 stored of it stays true. */
import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { locating, locatingInVersion1 } from '../src/config/filters.js'
import { withoutCredentials } from '../src/credentials.js'
import { ResumePointError } from '../src/errors/index.js'
import { identityOf, parseCheckpoint } from '../src/sources/http/checkpoint.js'
import http from '../src/sources/http/index.js'

const address = (query: string): string => `https://api.example/list?lang=no&${query}`
const optionsWith = (query: string) => http.options.parse({ url: address(query) })

test.each(['appid', 'key', 'sig', 'token', 'api_key', 'subscription-key'])('another %s is the same list', (name) => {
  const [one, other] = [optionsWith(`${name}=first`), optionsWith(`${name}=second`)]
  expect(withoutCredentials(one.url)).toBe('https://api.example/list?lang=no')
  expect(locating(one, http.options)).toEqual(locating(other, http.options))
  const point = { of: identityOf(one), next: 2, count: 20 }
  expect(parseCheckpoint(JSON.stringify(point), other)).toEqual(point)
})

test.each(['code', 'access', 'session', 'sort_key', 'lang2'])('another %s may be another list', (name) => {
  const [one, other] = [optionsWith(`${name}=first`), optionsWith(`${name}=second`)]
  expect(locating(one, http.options)).not.toEqual(locating(other, http.options))
  const resume = JSON.stringify({ of: identityOf(one), next: 2, count: 20 })
  expect(() => parseCheckpoint(resume, other)).toThrow(ResumePointError)
})

test('as version 1.0.0 had it: a digest without tokens alone, a checkpoint with all of the URL', () => {
  const schema = z.strictObject({ url: z.string() })
  const given = (query: string) => locatingInVersion1({ url: address(query) }, schema)
  expect(given('appid=mine&token=secret')).toEqual({ url: address('appid=mine') })
  expect(given('code=NO')).toEqual({ url: address('code=NO') })
  const options = optionsWith('appid=mine')
  const { url, pagination, items } = options
  const of = hash('sha256', JSON.stringify([url, pagination, items])).slice(0, 16)
  const point = { of, next: 2, count: 20 }
  expect(parseCheckpoint(JSON.stringify(point), options)).toEqual(point)
})
