/** What `${…}` stands for, and what looks like it and stands for nothing. */
import { describe, expect, it } from 'vitest'
import { inYaml, mistakesOf, settingsOf } from './scene.js'

const withNamespace = (text: string) => ({ '.owmrc.yaml': `${inYaml}taskNamespace: '${text}'\n` })

describe('what other programs would replace is refused, not taken literally', () => {
  it.each([
    ['${STREAM:-weather}', '${STREAM…}'],
    ['${STREAM-weather}', '${STREAM…}'],
    ['${STREAM:?}', '${STREAM…}'],
    ['a ${ STREAM } b', '${ STREAM …}'],
    ['${env:STREAM}', '${env:STREAM…}'],
    ['${STREAM', '${'],
    ['${}', '${'],
    ['${file:}', '${'],
    ['${FILE:/run/secrets/x}', '${'],
    ['${secrets.STREAM}', '${'],
    ['${STREAM} and ${STREAM', '${'],
    ['$${STREAM} and ${1}', '${'],
    ['pa${hunter2-x}', '${'],
  ])('%s', async (text, shown) => {
    expect(await mistakesOf(withNamespace(text), {}, { STREAM: 'prod' })).toEqual([
      `taskNamespace in .owmrc.yaml:7 has \`${shown}\`, which owm doesn't replace. ` +
        'Write `${NAME}`, a variable without a default, or `${file:PATH}`; for a plain `${` write `$${`.',
    ])
  })

  it('nor is a default shown, which may be a password', async () => {
    const files = { '.owmrc.yaml': inYaml.replace('tasks.jsonl', '"${API_TOKEN:-hunter2}"') }
    expect((await mistakesOf(files)).join()).not.toContain('hunter2')
  })

  it('but not where the section is not used', async () => {
    const files = { '.owmrc.yaml': inYaml.replace('count: 3', 'timeoutMs: "${N:-5}"') }
    await expect(settingsOf(files)).rejects.toThrow('source.timeoutMs')
    expect((await settingsOf(files, { withoutSource: true, without: ['source'] })).settings.source).toBeUndefined()
  })
})

it.each(['$STREAM', '{{ STREAM }}', '{STREAM}', '^a.b$', 'a$', '$$', '$ {STREAM}', '%{STREAM}', '$(STREAM)'])(
  '%s is plain text',
  async (text) => {
    expect((await settingsOf(withNamespace(text))).settings.taskNamespace).toBe(text)
  },
)

it('`$${` is a plain `${`', async () => {
  expect((await settingsOf(withNamespace('$${STREAM:-weather}'))).settings.taskNamespace).toBe('${STREAM:-weather}')
})

it("a command's shell gets what is its own", async () => {
  const command = ['sh', '-c', 'echo ${OWM_EVENT:-none} ${#x} $${HOME} ${HERE}']
  const files = { '.owmrc.yaml': `${inYaml}notify: {on: {failure: [{command: ${JSON.stringify(command)}}]}}\n` }
  const { settings } = await settingsOf(files, {}, { HERE: 'here' })
  expect(settings.notify?.on.failure[0]?.command?.[2]).toBe('echo ${OWM_EVENT:-none} ${#x} ${HOME} here')
})

it.each(['a..b', 'a.', '.a', 'a.__proto__'])('--set %s=1 is refused as it was written', async (path) => {
  await expect(settingsOf({ '.owmrc.yaml': inYaml }, { set: [`${path}=1`] })).rejects.toThrow(
    `--set ${path}: a part of the path is empty or not allowed.`,
  )
})

it("names the variable that systemd's credentials need, where it is not set", async () => {
  for (const folder of ['$CREDENTIALS_DIRECTORY', '${CREDENTIALS_DIRECTORY}'])
    expect(await mistakesOf(withNamespace(`\${file:${folder}/name}`))).toEqual([
      "taskNamespace in .owmrc.yaml:7 needs the environment variable CREDENTIALS_DIRECTORY, which isn't set. " +
        'systemd sets it for a service with LoadCredential; elsewhere, set it to a folder with the files.',
    ])
})

it("a command's shell gets the variables that owm sets for a hook", async () => {
  const said = 'echo "${OWM_EVENT} ${OWM_EVENT_EXIT_CODE} ${OWM_EVENT_SLOT}"'
  const inHook = `${inYaml}notify: {on: {failure: [{command: ${JSON.stringify(['sh', '-c', said])}}]}}\n`
  const { settings, references } = await settingsOf({ '.owmrc.yaml': inHook }, {}, { OWM_EVENT_SLOT: 'of another run' })
  expect(settings.notify?.on.failure[0]?.command?.[2]).toBe(said)
  expect([...references.names]).toEqual([])
  expect(await mistakesOf(withNamespace('${OWM_EVENT_SLOT}'))).toEqual([
    expect.stringContaining("the environment variable OWM_EVENT_SLOT, which isn't set."),
  ])
})
