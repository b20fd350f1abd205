import { expect, test } from 'vitest'
import { serverOf } from '../../src/databases/server.js'

const of = (url: string) => serverOf({ url }, '/nowhere', 'source')

test('a socket is named by ?host=, or in place of the host, as libpq has it', async () => {
  const socket = '/run/postgresql'
  for (const url of ['postgres://me@localhost/geo?host=/run/postgresql', 'postgres://me@%2Frun%2fpostgresql/geo'])
    expect(await of(url)).toEqual({
      title: `${socket}/geo`,
      host: expect.any(String),
      socket,
      username: 'me',
      database: 'geo',
    })
})

test.each([
  ['sslmode=prefer', /leave to chance/],
  ['sslrootcert=system', /take sslrootcert out of source\.url/],
  ['sslrootcert=ca.pem', /Correct sslrootcert/],
])("%s isn't taken: what to write instead", async (parameters, hint) => {
  await expect(of(`postgres://localhost/geo?${parameters}`)).rejects.toMatchObject({
    exitCode: 78,
    hint: expect.stringMatching(hint),
  })
})
