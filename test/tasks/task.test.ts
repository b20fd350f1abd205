import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Location } from '../../src/plugin.js'
import { taskMaker } from '../../src/tasks/encode.js'

const slot = '2026-11-23T10:00:00Z'
const make = taskMaker(slot)
const berlin = { latitude: 52.52, longitude: 13.405, city: 'Berlin', state: 'Berlin' }
const ownKeys = [
  'task_id',
  'latitude_deg',
  'longitude_deg',
  'city',
  'state',
  'forecast_duration_hours',
  'historical_duration_hours',
]

/** UUIDv5 by the letter of RFC 9562, section 5.5, over owm's published namespace. */
function uuid5(name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from('5c4d551c4dc75f888a0195d89657767d', 'hex'))
    .update(name, 'utf8')
    .digest()
    .subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function payloadOf(location: Location): string {
  const made = make(location)
  if (typeof made !== 'string') throw new Error(`rejected: ${made.reason}`)
  return made
}

function taskOf(location: Location): Record<string, unknown> {
  const task: Record<string, unknown> = JSON.parse(payloadOf(location))
  return task
}

function reasonOf(location: Location): string {
  const made = make(location)
  if (typeof made === 'string') throw new Error(`accepted: ${made.slice(0, 300)}`)
  return made.reason
}

describe('numbers', () => {
  const decimal = (places: number, most: number): fc.Arbitrary<number> =>
    fc.integer({ min: -most * 10 ** places, max: most * 10 ** places }).map((number) => number / 10 ** places)
  const degrees = (most: number): fc.Arbitrary<number> =>
    fc.oneof(
      ...[0, 1, 4, 6, 7, 9].map((places) => decimal(places, most)),
      fc.double({ min: -most, max: most, noNaN: true }),
      fc.constantFrom(0, -0, 1e-6, 1e-7, 5e-324, most, -most),
    )

  it('are written as JSON.stringify writes them', () => {
    fc.assert(
      fc.property(degrees(90), degrees(180), fc.oneof(fc.nat(1_000), fc.maxSafeNat()), (latitude, longitude, hours) => {
        const text = payloadOf({ ...berlin, latitude, longitude, forecast_duration_hours: hours })
        expect(text).toContain(
          `"latitude_deg":${JSON.stringify(latitude)},"longitude_deg":${JSON.stringify(longitude)},`,
        )
        expect(text).toContain(`"forecast_duration_hours":${JSON.stringify(hours)},`)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('the id', () => {
  it('is the UUIDv5 of slot and place', () => {
    expect(taskOf(berlin)['task_id']).toBe(uuid5(`${slot}\nat\n52.52\n13.405\nBerlin\nBerlin`))
  })

  it("is the UUIDv5 of slot and the location's own id, where it has one", () => {
    expect(taskOf({ ...berlin, id: 'DE-BE' })['task_id']).toBe(uuid5(`${slot}\nid\nDE-BE`))
    expect(taskOf({ ...berlin, id: 2950159 })['task_id']).toBe(uuid5(`${slot}\nid\n2950159`))
  })

  it("isn't made of a number that is none: every such location would be the same one", () => {
    for (const id of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(reasonOf({ ...berlin, id })).toMatch(/^id must be text or a number/)
  })

  it('hashes UTF-8', () => {
    const place = { latitude: 35.6895, longitude: 139.69171, city: '東京 🗼', state: 'とうきょう' }
    expect(taskOf(place)['task_id']).toBe(uuid5(`${slot}\nat\n35.6895\n139.69171\n東京 🗼\nとうきょう`))
  })

  it('is the same for the same location, whatever came between', () => {
    const first = payloadOf(berlin)
    payloadOf({ ...berlin, id: 'ß'.repeat(200) })
    expect(payloadOf(berlin)).toBe(first)
  })

  it('is another one in another slot', () => {
    const later = taskMaker('2026-11-23T11:00:00Z')(berlin)
    expect(later).toContain(uuid5('2026-11-23T11:00:00Z\nat\n52.52\n13.405\nBerlin\nBerlin'))
  })

  it('does not depend on how a number is written', () => {
    expect(payloadOf({ ...berlin, latitude: ' 52.520', longitude: '+1.3405e1' })).toBe(payloadOf(berlin))
  })

  it('does not depend on extra keys or durations', () => {
    expect(taskOf({ ...berlin, country: 'DE', forecast_duration_hours: 1 })['task_id']).toBe(taskOf(berlin)['task_id'])
  })

  it('takes 0 and -0 for one place', () => {
    const zero = payloadOf({ ...berlin, latitude: 0, longitude: 0 })
    for (const minus of [-0, '-0', '-0.0'])
      expect(payloadOf({ ...berlin, latitude: minus, longitude: minus })).toBe(zero)
    expect(zero).toContain('"latitude_deg":0,"longitude_deg":0,')
  })
})

describe('the keys', () => {
  it('come in the order of the contract, extras behind', () => {
    expect(
      Object.keys(taskOf({ zone: 'CET', state: 'Berlin', city: 'Berlin', longitude: 13.4, latitude: 52.5 })),
    ).toEqual([...ownKeys, 'zone'])
  })

  it('have defaults', () => {
    const { state: _, ...without } = berlin
    expect(taskOf(without)).toMatchObject({ state: '', forecast_duration_hours: 72, historical_duration_hours: 72 })
    expect(
      taskOf({ ...berlin, state: null, forecast_duration_hours: '', historical_duration_hours: null }),
    ).toMatchObject({
      state: '',
      forecast_duration_hours: 72,
      historical_duration_hours: 72,
    })
  })

  it.each(['latitude', 'longitude', 'city'])('must have a %s', (key) => {
    for (const missing of [undefined, null, '']) expect(reasonOf({ ...berlin, [key]: missing })).toContain(key)
  })
})

describe('degrees', () => {
  it.each([
    ['latitude', 90],
    ['longitude', 180],
  ])('%s reaches from -%d to the same', (key, limit) => {
    for (const value of [limit, -limit]) expect(taskOf({ ...berlin, [key]: value })[`${key}_deg`]).toBe(value)
    for (const value of [limit + 1e-9, -limit - 1e-9, Number.NaN, Number.POSITIVE_INFINITY, '1e999'])
      expect(reasonOf({ ...berlin, [key]: value })).toContain(key)
  })

  it.each(['0x10', '52,5', '52.5 N', "52°31'", 'NaN', ' ', '1_000', true, [52.5], { degrees: 52.5 }])(
    'are not %j',
    (value) => {
      expect(reasonOf({ ...berlin, latitude: value })).toContain('latitude')
    },
  )

  it.each([
    ['52.5', 52.5],
    ['-.5', -0.5],
    ['5.', 5],
    ['1e1', 10],
  ])('may be the text %j', (text, value) => {
    expect(taskOf({ ...berlin, latitude: text })['latitude_deg']).toBe(value)
  })
})

describe('hours', () => {
  it.each(['forecast_duration_hours', 'historical_duration_hours'])('%s is a whole number, 0 or more', (key) => {
    for (const [given, value] of [
      [0, 0],
      [-0, 0],
      ['24', 24],
      ['48.0', 48],
      [8760, 8760],
    ] as const)
      expect(taskOf({ ...berlin, [key]: given })[key]).toBe(value)
    for (const wrong of [1.5, -1, '1.5', 'many', Number.NaN, 1e300, true, [72]])
      expect(reasonOf({ ...berlin, [key]: wrong })).toContain(key)
  })
})

describe('text', () => {
  it.each(['city', 'state'])('%s has at most 200 characters, as code points count', (key) => {
    for (const letter of ['x', 'ß', '東', '🗼']) {
      expect(taskOf({ ...berlin, [key]: letter.repeat(200) })[key]).toBe(letter.repeat(200))
      expect(reasonOf({ ...berlin, [key]: letter.repeat(201) })).toContain(key)
    }
  })

  it.each(['city', 'state', 'id'])('%s of a megabyte is a short reason', (key) => {
    for (const letter of ['x', '🗼'])
      expect(reasonOf({ ...berlin, [key]: letter.repeat(1_000_000) }).length).toBeLessThan(300)
  })

  it.each(['city', 'state', 'id'])('%s must be Unicode: no lone surrogate', (key) => {
    for (const lone of ['\ud800', 'Ber\udc00lin', '\udfff\ud800'])
      expect(reasonOf({ ...berlin, [key]: lone })).toContain(key)
  })

  it.each([true, Number.NaN, ['Berlin'], { name: 'Berlin' }])('is not %j', (value) => {
    expect(reasonOf({ ...berlin, city: value })).toContain('city')
  })

  it('may hold whatever JSON must escape', () => {
    const city = '"Quo\\te"\n\t\u0001\u2028</script>'
    expect(taskOf({ ...berlin, city })['city']).toBe(city)
  })
})

describe('extra keys', () => {
  it('travel under their snake_case names', () => {
    expect(
      taskOf({
        ...berlin,
        countryCode: 'DE',
        Population: 3_755_251,
        'admin-2 name': 'Mitte',
        elevation_m: 34,
        tags: ['capital', { since: 1990 }],
      }),
    ).toMatchObject({
      country_code: 'DE',
      population: 3_755_251,
      admin_2_name: 'Mitte',
      elevation_m: 34,
      tags: ['capital', { since: 1990 }],
    })
  })

  it('are left out when empty', () => {
    expect(Object.keys(taskOf({ ...berlin, country: '', population: null, zone: undefined }))).toEqual(ownKeys)
  })

  it.each(['taskId', 'latitudeDeg', 'Longitude', 'City', 'state ', 'forecastDurationHours', 'locationId'])(
    '%s does not take the place of a key of owm',
    (key) => {
      expect(reasonOf({ ...berlin, [key]: 'mine' })).toContain(JSON.stringify(key))
    },
  )

  it("can't forge what owm writes", () => {
    const task = taskOf({ ...berlin, id: 7, task_id: 'mine', location_id: 'mine', latitude_deg: 1, longitude_deg: 2 })
    expect(task).toMatchObject({
      task_id: uuid5(`${slot}\nid\n7`),
      location_id: 7,
      latitude_deg: 52.52,
      longitude_deg: 13.405,
    })
  })

  it('two that become one name are a reason', () => {
    expect(reasonOf({ ...berlin, countryCode: 'DE', 'country-code': 'FR' })).toContain('country')
  })

  it.each(['', '🗼', '--'])('need a name, which %j is not', (key) => {
    expect(reasonOf({ ...berlin, [key]: 1 })).toContain('name')
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is a name like any other', (key) => {
    const location: Location = JSON.parse(
      `{"latitude":1,"longitude":2,"city":"x",${JSON.stringify(key)}:{"polluted":true}}`,
    )
    expect(Object.values(taskOf(location)).at(-1)).toEqual({ polluted: true })
    expect({}).not.toHaveProperty('polluted')
  })

  it('must be Unicode, at any depth, but may speak of surrogates', () => {
    for (const value of ['\ud800', ['\udc00'], { deep: { er: 'x\ud800' } }, { '\ud800': 1 }])
      expect(reasonOf({ ...berlin, note: value })).toContain('note')
    expect(taskOf({ ...berlin, note: '\\ud800 \\\\ud800' })['note']).toBe('\\ud800 \\\\ud800')
  })

  it('nest as deep as 64 levels, no reader falls over', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
    expect(taskOf({ ...berlin, note: nested(64) })['note']).toEqual(nested(64))
    expect(reasonOf({ ...berlin, note: nested(65) })).toContain('note')
  })

  it('of a megabyte are a short reason', () => {
    expect(reasonOf({ ...berlin, note: 'x'.repeat(1_000_000) }).length).toBeLessThan(300)
    expect(reasonOf({ ...berlin, ['n'.repeat(1_000_000)]: 1 }).length).toBeLessThan(300)
  })
})

describe('whatever a source may give', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)

  it.each([
    ['a circle', circle],
    ['an abyss', deep],
    ['a toString that is none', { toString: 1, valueOf: 2 }],
    ['nothing of an object', Object.create(null)],
    ['a symbol', Symbol('x')],
  ])('%s instead of a value is a reason', (_, value) => {
    for (const key of ['latitude', 'longitude', 'city', 'state', 'id', 'forecast_duration_hours'])
      expect(reasonOf({ ...berlin, [key]: value })).toContain(key)
  })

  it.each([
    ['a circle', circle],
    ['an abyss', deep],
    ['an infinity', Number.POSITIVE_INFINITY],
    ['an infinity, deep inside', [{ much: Number.NEGATIVE_INFINITY }]],
  ])('%s under an extra key is a reason', (_, value) => {
    expect(reasonOf({ ...berlin, note: value })).toContain('note')
  })

  const text = [fc.string(), fc.jsonValue()]
  const coordinate = fc.oneof(fc.double({ min: -200, max: 200 }), fc.double().map(String), fc.integer(), ...text)
  const words = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 250 }),
    fc.string({ unit: fc.constantFrom('\ud800', 'a', '🗼') }),
    fc.jsonValue(),
  )
  const extra = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('__proto__', 'toString', 'cityName', 'City', 'task_id')),
    fc.jsonValue(),
    { maxKeys: 4 },
  )
  const almost = fc
    .tuple(
      fc.record(
        {
          latitude: coordinate,
          longitude: coordinate,
          city: words,
          state: words,
          id: words,
          forecast_duration_hours: coordinate,
          historical_duration_hours: coordinate,
        },
        { requiredKeys: ['latitude', 'longitude', 'city'] },
      ),
      extra,
    )
    .map(([known, more]) => ({ ...more, ...known }))

  function expectTaskOrReason(location: Location): void {
    const made = make(location)
    if (typeof made !== 'string') {
      expect(made.reason).not.toBe('')
      return
    }
    expect(made.isWellFormed()).toBe(true)
    const task: Record<string, unknown> = JSON.parse(made)
    // An object has keys that are whole numbers first, wherever they stood in the text.
    const keys = Object.keys(task).filter((key) => !/^\d+$/.test(key))
    expect(keys.slice(0, 7)).toEqual(ownKeys)
    expect(task['task_id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Math.abs(Number(task['latitude_deg']))).toBeLessThanOrEqual(90)
    expect(Math.abs(Number(task['longitude_deg']))).toBeLessThanOrEqual(180)
    for (const key of ['latitude_deg', 'longitude_deg']) expect(task[key]).toBeTypeOf('number')
    for (const [key, least] of Object.entries({ city: 1, state: 0 })) {
      const value = task[key]
      if (typeof value !== 'string') throw new Error(`${key} is ${value}`)
      expect([...value].length).toBeGreaterThanOrEqual(least)
      expect([...value].length).toBeLessThanOrEqual(200)
    }
    for (const key of ['forecast_duration_hours', 'historical_duration_hours']) {
      expect(Number.isSafeInteger(task[key])).toBe(true)
      expect(task[key]).toBeGreaterThanOrEqual(0)
    }
    // No key twice: JSON.parse would hide it.
    expect(JSON.stringify(task)).toHaveLength(made.length)
    expect(made).toEqual(make(location))
  }

  it('any object that is nearly a location is a valid task or has a reason', () => {
    fc.assert(fc.property(almost, expectTaskOrReason), { numRuns: 3_000 })
  })

  it('any JSON object is a valid task or has a reason', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), expectTaskOrReason), { numRuns: 1_000 })
  })

  it('any valid location is a task', () => {
    const valid = fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
      city: fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
        .filter((city) => city.trim() !== '' && [...city].length <= 200),
      state: fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
      forecast_duration_hours: fc.nat(),
    })
    fc.assert(
      fc.property(valid, (location) => {
        const { latitude, longitude, ...same } = location
        expect(taskOf(location)).toMatchObject({ latitude_deg: latitude + 0, longitude_deg: longitude + 0, ...same })
      }),
      { numRuns: 1_000 },
    )
  })
})
