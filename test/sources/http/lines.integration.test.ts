/** Answers of lines that are cut or have no header, other encodings, and hints that help with named pages. */
import type { ServerResponse } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, json, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

/** Ends with the connection, so that nothing but the text says whether it is whole. */
function bare(response: ServerResponse, text: string): void {
  response.useChunkedEncodingByDefault = false
  response.shouldKeepAlive = false
  response.end(text)
}

async function pages(format: string, texts: readonly string[], more: object = {}): Promise<Read> {
  const server = await api((request, response) => bare(response, texts[numberIn(queryOf(request), 'page', 0)] ?? ''))
  return readAll({ url: server.origin, format, pagination: { start: 0 }, ...more }, { attempts: 1 })
}

/** Ids of CSV are text. */
function expectWhole({ error, locations }: Read, count: number): void {
  expect(error).toBeUndefined()
  expect(locations.map((location) => ('id' in location ? Number(location.id) : undefined))).toEqual(upTo(count))
}

const head = 'id,name,lat,lon\n'

describe('a last record that breaks off', () => {
  const whole = {
    csv: `${head}0,A,1,2\n`,
    tsv: 'id\tname\tlat\tlon\n0\tA\t1\t2\n',
    ndjson: '{"id":0,"name":"A","lat":1,"lon":2}\n',
  }
  test.each<[what: string, format: 'csv' | 'tsv' | 'ndjson', text: string]>([
    ['a row', 'csv', `${head}1,A,1,2\n2,B,3,4\n3,C,5`],
    ['between quotes', 'csv', `${head}1,A,1,2\n2,"B\n`],
    ['a row', 'tsv', 'id\tname\tlat\tlon\n1\tA\t1\t2\n2\tB'],
    ['in front of a value', 'csv', `${head}1,A,1,2\n2,B,1,`],
    ['behind a sign', 'csv', `${head}1,A,1,2\n2,B,1,-`],
    ['in front of a value', 'tsv', 'id\tname\tlat\tlon\n1\tA\t1\t2\n2\tB\t1\t'],
    ['between quotes', 'tsv', 'id\tlat\tlon\tname\n1\t1\t2\tA\n2\t1\t2\t"B'],
    ['an object', 'ndjson', '{"id":1,"name":"a","lat":1,"lon":2}\n{"id":3,"na'],
  ])('%s in %s: the answer may be whole next time', async (_, format, text) => {
    const said = { message: expect.stringMatching(/^The answer of http.* breaks off in its last record: /) }
    for (const read of [
      await pages(format, [text], { pagination: { type: 'link' } }),
      await pages(format, [whole[format], text, whole[format]]),
    ]) {
      expect(read.error).toBeInstanceOf(TransientError)
      expect(read.error).toMatchObject(said)
    }
    let asked = 0
    const server = await api((_, response) => bare(response, asked++ === 0 ? text : whole[format]))
    expectWhole(await readAll({ url: server.origin, format, pagination: { type: 'link' } }), 1)
  })

  test('but what can be read is whole, whether its last line has an end or not', async () => {
    for (const [format, text] of [
      ['csv', `${head}0,A,1,2\n1,B,3,4`],
      ['csv', `${head}0,A,1,2\n1,"B",3,"4"`],
      ['ndjson', '{"id":0,"name":"A","lat":1,"lon":2}\n{"id":1,"name":"B","lat":1,"lon":2}'],
    ] as const)
      expectWhole(await pages(format, [text]), 2)
    expectWhole(await pages('csv', ['id,name,lat,lon,note\n0,A,1,2,x\n1,B,3,4,']), 2)
    // A bad row with an end is one that somebody wrote.
    const read = await pages('csv', [`${head}0,A,1,2\n3,C,5\n`])
    expect(read.error).toBeUndefined()
    expect(read.locations).toHaveLength(2)
  })

  test('the words of a gateway or of a program, behind rows or alone: a bad moment, whatever they say', async () => {
    for (const words of [
      '<html>502 Bad Gateway</html>',
      '0,A,1,2\n<html>502 Bad Gateway</html>',
      '0,A,1,2\nERROR: invalid page in block 5',
    ]) {
      const read = await pages('csv', [`${head}${words}\n`], { pagination: { type: 'link' } })
      expect(read.error, words).toBeInstanceOf(TransientError)
      expect(String(read.error)).toContain('answered with an error')
    }
  })

  test('a row of the first page is said to stand there', async () => {
    for (const type of ['link', 'cursor']) {
      const { batches } = await pages('csv', [`${head}0,A,1,2\n`], { pagination: { type } })
      expect(batches[0]?.position(0)).toBe('the first page, line 2')
    }
  })

  test('an error in a comment behind the last row', async () => {
    const read = await pages('csv', [`${head}0,A,1,2\n# ERROR: timeout\n`], { comment: '#' })
    expect(read.error).toBeInstanceOf(TransientError)
    expect(String(read.error)).toContain('ERROR: timeout')
    expectWhole(await pages('csv', [`${head}0,A,1,2\n# 1 row\n`], { comment: '#' }), 1)
  })
})

describe('CSV in pages', () => {
  test.each([{ type: 'page' }, { type: 'offset' }])(
    'each with a header, and nothing else at the end: $type',
    async (way) => {
      for (const headers of [{}, { 'x-total-count': '25' }]) {
        const server = await api((request, response) => {
          const query = queryOf(request)
          const from = query.has('offset') ? numberIn(query, 'offset', 0) : numberIn(query, 'page', 0) * 10
          const rows = cities(25).slice(from, from + 10)
          response.writeHead(200, headers)
          response.end(head + rows.map(({ id, name, lat, lon }) => `${id},${name},${lat},${lon}\n`).join(''))
        })
        const read = await readAll({ url: server.origin, format: 'csv', pagination: { ...way, limit: 10 } })
        expect(read.error).toBeUndefined()
        expect(read.locations).toHaveLength(25)
      }
    },
  )

  test.each([
    ['csv', `${head}0,A,1,2\n`, '1,B,3,4\n2,C,3,4\n', {}],
    ['csv', `# made\n${head}0,A,1,2\n`, '# made\n1,"B",1,4\n', { comment: '#' }],
    ['ndjson', '["id","name","lat","lon"]\n[0,"A",1,2]\n', '[1,"B",3,4]\n', { layout: 'rows' }],
  ])('a later page of %s without a header says so, and source.header helps', async (format, first, later, more) => {
    const read = await pages(format, [first, later], more)
    expect(read.error).toBeInstanceOf(ConfigurationError)
    expect(read.error).toMatchObject({
      message: expect.stringMatching(/\(page 1\) has no header: it begins with a row/),
      hint: expect.stringContaining('source.header'),
    })
    const named = await pages(format, [first, later], { ...more, header: ['id', 'name', 'lat', 'lon'] })
    expectWhole(named, later.includes('C') ? 3 : 2)
  })

  test('what is neither is a bad moment, as before', async () => {
    const read = await pages('csv', [`${head}0,A,1,2\n`, 'come back later\n'])
    expect(read.error).toBeInstanceOf(TransientError)
    expect(String(read.error)).toContain("can't be read as the pages before")
  })
})

test('rows whose header is in the first page only are read from the start after an interruption', async () => {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    const rows = cities(25).slice(page * 10, page * 10 + 10)
    const data = rows.map(({ id, name, lat, lon }) => [id, name, lat, lon])
    json(response, page === 0 ? [['id', 'name', 'lat', 'lon'], ...data] : data)
  })
  const options = { url: server.origin, layout: 'rows', pagination: { limit: 10, start: 0 } }
  const { batches, error } = await readAll(options)
  expect(error).toBeUndefined()
  const resume = batches[1]?.resume ?? ''
  expect((await readAll(options, { resume })).error).toBeInstanceOf(ResumePointError)
  const behindFirst = await readAll(options, { resume: batches[0]?.resume ?? '' })
  expect(behindFirst).toMatchObject({ error: undefined, locations: { length: 15 } })
  const named = await readAll({ ...options, header: ['id', 'name', 'lat', 'lon'] }, { resume })
  expect(named).toMatchObject({ error: undefined, locations: { length: 5 } })
})

describe('an encoding that owm does not read', () => {
  const bodies = { json: JSON.stringify(cities(3)), csv: `${head}0,A,1,2\n` }
  const zstd = Buffer.from('28b52ffd0458190000302c412c312c320a', 'hex')
  test.each<[encoding: string, body: (text: string) => Buffer]>([
    ['br', (text) => brotliCompressSync(text)],
    ['zstd', () => zstd],
    ['br, gzip', (text) => gzipSync(brotliCompressSync(text))],
  ])('%s is named', async (encoding, body) => {
    for (const [format, text] of Object.entries(bodies))
      for (const more of format === 'csv' ? [{}, { header: ['id', 'name', 'lat', 'lon'] }] : [{}]) {
        const server = await api((_, response) =>
          response.writeHead(200, { 'content-encoding': encoding }).end(body(text)),
        )
        const { error } = await readAll({ url: server.origin, format, pagination: { type: 'link' }, ...more })
        expect(error).toBeInstanceOf(ConfigurationError)
        expect(error).toMatchObject({
          message: expect.stringContaining(`is encoded with ${encoding.split(',')[0]}`),
          hint: expect.stringContaining('accept-encoding'),
        })
      }
  })

  test('the words of an error are left out then', async () => {
    const server = await api((_, response) =>
      response.writeHead(401, { 'content-encoding': 'br' }).end(brotliCompressSync('{"error":"no"}')),
    )
    expect(String((await readAll({ url: server.origin })).error)).toMatch(/answered 401 Unauthorized$/)
  })

  test.each(['utf-8', 'identity', 'none', 'aws-chunked'])('%s is none', async (encoding) => {
    const server = await api((_, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(bodies.json),
    )
    expectAll(await readAll({ url: server.origin, pagination: { type: 'link' } }), 3)
  })

  test('gzip upon gzip is two of them', async () => {
    const server = await api((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip, x-gzip' }).end(gzipSync(gzipSync(bodies.json))),
    )
    expectAll(await readAll({ url: server.origin, pagination: { type: 'link' } }), 3)
  })
})

describe('hints where pages name the next one', () => {
  /** Each page names the next one for ever, or one that isn't there. */
  const named = async (type: string, isThere: boolean, more: object = {}): Promise<Read> => {
    const server = await api((request, response) => {
      if (!isThere && queryOf(request).has('c')) return response.writeHead(404).end()
      if (type === 'link') return json(response, cities(3), { link: '</?c=b>; rel="next"' })
      json(response, { data: cities(3), next: 'b' })
    })
    return readAll({ url: server.origin, pagination: { type, parameters: { cursor: 'c' } }, ...more }, { attempts: 1 })
  }

  test.each(['cursor', 'link'])('%s: they name what helps there', async (type) => {
    for (const isThere of [true, false]) {
      const { error } = await named(type, isThere)
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error).toMatchObject({
        message: expect.stringMatching(isThere ? /in a circle/ : /404/),
        hint: expect.stringMatching(/^(?!.*pagination\.(end|start|type)).*source\.next/),
      })
      expectAll(await named(type, isThere, { next: false }), 3)
    }
  })
})
