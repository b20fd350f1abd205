/** How a location looks on the map and in the legend: each state has a colour and a shape of its own. */
import type { PlaceState } from '../../data.js'

type Shape = 'dot' | 'square' | 'triangle' | 'diamond' | 'ring'

const shapes: Readonly<Record<PlaceState, Shape>> = {
  delivered: 'dot',
  pending: 'square',
  rejected: 'triangle',
  dead: 'diamond',
  discarded: 'ring',
  waiting: 'ring',
}

/** States that need attention are drawn larger. */
export const isTrouble = (state: PlaceState): boolean => state === 'pending' || state === 'rejected' || state === 'dead'

/** Adds a location's shape to a path; `radius` in pixels. */
export function addMark(path: Path2D, state: PlaceState, x: number, y: number, radius: number): void {
  const shape = shapes[state]
  if (radius < 1.5 && !isTrouble(state)) path.rect(x - radius, y - radius, 2 * radius, 2 * radius)
  else if (shape === 'square') path.rect(x - radius, y - radius, 2 * radius, 2 * radius)
  else if (shape === 'triangle')
    corners(path, [x, y - 1.3 * radius], [x + 1.2 * radius, y + radius], [x - 1.2 * radius, y + radius])
  else if (shape === 'diamond')
    corners(path, [x, y - 1.4 * radius], [x + 1.4 * radius, y], [x, y + 1.4 * radius], [x - 1.4 * radius, y])
  else {
    path.moveTo(x + radius, y)
    path.arc(x, y, radius, 0, 2 * Math.PI)
    if (shape !== 'ring' || radius < 2) return
    path.moveTo(x + radius * 0.5, y)
    path.arc(x, y, radius * 0.5, 0, 2 * Math.PI, true)
  }
}

function corners(path: Path2D, ...points: [number, number][]): void {
  for (const [index, [x, y]] of points.entries()) {
    if (index === 0) path.moveTo(x, y)
    else path.lineTo(x, y)
  }
  path.closePath()
}

/** The shape alone, for the legend. */
export function swatch(state: PlaceState): SVGSVGElement {
  const namespace = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(namespace, 'svg')
  const drawn: Readonly<Record<Shape, string>> = {
    dot: 'M13 8A5 5 0 1 1 3 8A5 5 0 1 1 13 8Z',
    square: 'M3.5 3.5H12.5V12.5H3.5Z',
    triangle: 'M8 2L14 13H2Z',
    diamond: 'M8 1L15 8L8 15L1 8Z',
    ring: 'M13 8A5 5 0 1 1 3 8A5 5 0 1 1 13 8ZM5.5 8A2.5 2.5 0 1 0 10.5 8A2.5 2.5 0 1 0 5.5 8Z',
  }
  const path = document.createElementNS(namespace, 'path')
  path.setAttribute('d', drawn[shapes[state]])
  svg.setAttribute('viewBox', '0 0 16 16')
  svg.setAttribute('class', `swatch ${state}`)
  svg.setAttribute('aria-hidden', 'true')
  svg.append(path)
  return svg
}
