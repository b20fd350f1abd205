/** What a configuration in JavaScript prints while it is loaded. */
import { expect, it, vi } from 'vitest'
import { minimal, settingsOf } from './scene.js'

it('goes to standard error: standard output is for results', async () => {
  const [log, aside] = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error').mockReturnValue()]
  const config = `console.log('injected 3 variables')\nexport default ${JSON.stringify(minimal)}\n`
  const { settings } = await settingsOf({ 'owm.config.mjs': config })
  expect(settings).toMatchObject(minimal)
  expect(aside).toHaveBeenCalledWith('injected 3 variables')
  expect(log).not.toHaveBeenCalled()
})
