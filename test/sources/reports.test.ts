/** What stands behind a list's last row: the report of a program that failed, or a footer and bad rows. */
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/plugin.js'
import { Ending, errorInLastComment } from '../../src/sources/signs/trailing-error.js'

const row = { id: '1', city: 'Bern', latitude: 46.9, longitude: 7.4 }

/** Lines behind a row. */
function said(lines: readonly string[]): string | undefined {
  const ending = new Ending()
  ending.add([row, new Malformed('Basel;47.5', 'short')])
  ending.add([row, row, ...lines.map((line) => new Malformed(line, 'the row has 1 columns'))])
  return ending.error
}

const reports: readonly (readonly string[])[] = [
  [
    'SPARQL-QUERY: queryStr=SELECT ?item WHERE {',
    '}',
    'java.util.concurrent.TimeoutException',
    '\tat a.b.C.get(C.java:205)',
  ],
  [
    'java.sql.SQLException: Closed',
    '\tat oracle.X(X.java:1)',
    'Caused by: java.net.SocketException: x',
    '\t... 7 more',
  ],
  [
    'Traceback (most recent call last):',
    '  File "/srv/a.py", line 12, in <module>',
    'a.OperationalError: x',
    '\tbefore x.',
  ],
  ['PHP Fatal error:  Uncaught PDOException: x', 'Stack trace:', '#0 {main}', '  thrown in /var/a.php on line 12'],
  ['/srv/a.js:12', '    throw x', '    ^', 'Error: read ECONNRESET', '    at TCP.on (internal/stream.js:111:27)'],
  ['Error: read ECONNRESET', '    at TCP.on (node:x:111:27) {', '  errno: -104,', '}', 'Node.js v20.0.0'],
  ['Error in fetch(res) : connection lost', 'Calls: write.csv -> fetch', 'Execution halted'],
  ['ERROR:  canceling statement due to statement timeout', 'CONTEXT:  SQL function "x" statement 1'],
  ['FEHLER:  Anfrage wird storniert', 'KONTEXT:  x'],
  ['ERROR:', 'ORA-03113: end-of-file on communication channel', 'Process ID: 123', '11 rows selected.'],
  ['panic: runtime error: index out of range', 'goroutine 1 [running]:', 'main.main()', 'exit status 2'],
  ["a.rb:12:in `each': server closed (PG::ConnectionBad)", "\tfrom a.rb:12:in `<main>'"],
  ["thread 'main' panicked at src/main.rs:12:5:", 'no luck', 'note: run with `RUST_BACKTRACE=1`'],
  ['Msg 1205, Level 13, State 51, Server x, Line 1', 'The transaction is gone.'],
  ['ERROR 2013 (HY000) at line 1: Lost connection to MySQL server during query', 'bye'],
  ['./export.sh: line 3:  1234 Killed   psql', 'done'],
  ['DBD::Pg::st fetch failed: x at export.pl line 12.', 'bye'],
  ['<br />', '<b>Fatal error</b>:  Maximum execution time of 30 seconds exceeded', '<br />', 'x'],
  ['{', '  "error": "timeout"', '}'],
  ['Error: 500 Internal Server Error', 'bye'],
  ['OperationalError: 2013 (HY000): Lost connection to MySQL server', 'bye'],
  ['KeyError: 5', 'bye'],
  ['ERROR: relation "x" does not exist', 'bye'],
  // Last lines.
  ['ERROR;500;1'],
  ['ERROR,503,2024'],
  ['Error: 503'],
  ['ERROR: no such table'],
  ['ORA-03113, 1, 2'],
]

test.each(reports)('%s', (...lines) => {
  expect(said(lines)).toBeDefined()
})

test('a line of a report may have as many columns as a row', () => {
  const ending = new Ending()
  ending.add([row, { id: 'Msg 1205', city: 'Level 13', latitude: 'State 51', longitude: 'Line 1' }])
  expect(ending.error).toBe('Msg 1205, Level 13, State 51, Line 1')
  ending.add([new Malformed('\tat a.b.C.get(C.java:205)', 'no coordinates', 'coordinates'), new Malformed('}', 'x')])
  expect(ending.error).toBeDefined()
  ending.add([row])
  expect(ending.error).toBeUndefined()
})

test('an error that is an object, and what follows it', () => {
  const ending = new Ending()
  ending.add([row, { error: 'timeout' }, { took: 5 }])
  expect(ending.error).toBe('timeout')
})

describe('healthy', () => {
  test.each<[lines: string[]]>([
    [['(2 rows)']],
    [['Source: Office of Meteorology', 'Errors: 0', 'Error: none', 'Error: 0', 'Standard error: 0.5 km', 'End']],
    [['No warranty: the office is not liable for any error, failure or omission', 'Contact: a@example.org']],
    [['Note: stations that failed in 1950 or were terminated are missing', 'See https://example.org']],
    [['Error codes: 99 is a missing value', 'Updated at 12:00']],
    [['12,Panic, ORA-12345,46.9,7.4', '13,Fatal, Error: x,1.5,2.5']],
    ...['none', 'nil', '0', '0.5', '±5 m', 'less than 5 m', 'ca. 5 m', 'approx. ±10 metres', 'up to 10 m'].map(
      (value): [string[]] => [[`Standard error: ${value}`, `Error: ${value}`]],
    ),
    ...['unknown', 'not available', 'no estimate'].map((value): [string[]] => [[`Error: ${value}`, 'End']]),
    [['Fehler: keine']],
    [['Erreur: aucune']],
    [['Errore: nessuno']],
    [['MeanError: 0.2', 'StandardError: 0.03']],
    [['Lost connection: 0', 'Stations with lost connection since May: none', 'Lost connections: 3']],
  ])('%j', ([...lines]) => {
    expect(said(lines)).toBeUndefined()
  })

  test.each<[record: object]>([
    [{ id: '9', city: 'Panic', state: 'ORA-1', latitude: '91', longitude: '7' }],
    [{ id: '9', city: 'Failure', latitude: 'n/a', longitude: 'n/a' }],
    [{ id: '9', city: 'Error', latitude: 'unknown', longitude: 'unknown' }],
    [{ id: '9', error: 'no coordinates' }],
    [{ id: 's9', city: 'Kap', latitude: null, longitude: null, status: 'Connection lost' }],
    [{ city: 'Deadlock Creek', latitude: null, longitude: null }],
    [{ id: '9', city: 'Broken Pipe Ridge', latitude: '', longitude: '' }],
  ])('%j is a row', (record) => {
    const ending = new Ending()
    ending.add([row, new Malformed('ERROR: try again', 'short'), { ...record }])
    expect(ending.error).toBeUndefined()
  })
})

test('a row that has no coordinates is one, whatever it is called', () => {
  for (const value of ['9,Broken Pipe Ridge,,', '{"id":9,"status":"lost connection"}']) {
    const ending = new Ending()
    ending.add([row, new Malformed(value, 'no coordinates', 'coordinates')])
    expect(ending.error).toBeUndefined()
  }
})

test('whether there is a row before an error', () => {
  const ending = new Ending()
  expect(ending).toMatchObject({ isAll: true, last: undefined })
  ending.add([new Malformed('ERROR: x', 'short')])
  expect(ending).toMatchObject({ isAll: true, last: { value: 'ERROR: x' } })
  ending.add([row, new Malformed('ERROR: x', 'short')])
  expect(ending.isAll).toBe(false)
})

test('a report in comments', () => {
  for (const footer of ['Error: none', 'Fehler: keine', 'Error: 0.5 m'])
    expect(errorInLastComment(`1,2\n# ${footer}\n`, '#')).toBeUndefined()
  expect(errorInLastComment('1,2\n# psycopg2.OperationalError: x\n# see the log\n', '#')).toMatch(/OperationalError/)
  expect(errorInLastComment('1,2\n# Error codes: none\n# 2 rows\n', '#')).toBeUndefined()
  expect(errorInLastComment('# Error: x\n1,2\n', '#')).toBeUndefined()
})
