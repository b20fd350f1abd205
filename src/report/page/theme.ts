/** Light or dark: the system's theme until the button is used. */
import { part } from './dom.js'

export function setUpTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const button = part('theme')
  let chosen: 'light' | 'dark' | undefined
  const apply = (): void => {
    const theme = chosen ?? (system.matches ? 'dark' : 'light')
    document.documentElement.dataset['theme'] = theme
    button.setAttribute('aria-pressed', String(theme === 'dark'))
    document.dispatchEvent(new Event('themechange'))
  }
  button.addEventListener('click', () => {
    chosen = document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark'
    apply()
  })
  system.addEventListener('change', apply)
  apply()
}
