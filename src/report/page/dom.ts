/** Elements. Texts are set as text, never as HTML: a city's name may be `<img onerror=…>`. */
import { harmless } from '../../words.js'

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** An element with attributes and children; false and undefined leave an attribute out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : String(value))
  made.append(...children.map((child) => (typeof child === 'string' ? harmless(child) : child)))
  return made
}

/** A text that may be in any script and direction, apart from the text around it. */
export const foreign = (text: string): HTMLElement => element('bdi', {}, text)

/** What the page's skeleton has under an id. */
export function part(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no #${id}.`)
  return found
}

/** The value of a colour of the style sheet, such as `dead`. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/** Calls what draws again when the theme or the size of an element changes. */
export function redrawn(box: HTMLElement, draw: () => void): void {
  new ResizeObserver(draw).observe(box)
  document.addEventListener('themechange', draw)
}
