/** Which part of the map is seen: moved by mouse, finger and keyboard. */
import { height, width } from './world.js'

const most = 40
const step = 1.6

export class Camera {
  /** How large the world is drawn: 1 is all of it. */
  zoom = 1
  /** What is in the middle, in the map's units. */
  #x = width / 2
  #y = height / 2
  readonly #onMove: () => void

  constructor(onMove: () => void) {
    this.#onMove = onMove
  }

  /** From the map's units to pixels: x * scale + left, y * scale + top. `pixels`: how wide the map is drawn. */
  view(pixels: number): { scale: number; left: number; top: number } {
    const scale = (pixels / width) * this.zoom
    const half = pixels / 2
    return { scale, left: half - this.#x * scale, top: (half * height) / width - this.#y * scale }
  }

  /** Shows a place, large enough to see what is around it. */
  show([x, y]: readonly [number, number]): void {
    this.#look(x, y, Math.max(this.zoom, 6))
  }

  reset(): void {
    this.#look(width / 2, height / 2, 1)
  }

  /** @param by factor; at: what stays where it is, in the map's units */
  magnify(by: number, at: readonly [number, number] = [this.#x, this.#y]): void {
    const zoom = Math.min(most, Math.max(1, this.zoom * by))
    const ratio = this.zoom / zoom
    this.#look(at[0] + (this.#x - at[0]) * ratio, at[1] + (this.#y - at[1]) * ratio, zoom)
  }

  /** By shares of what is seen. */
  pan(right: number, down: number): void {
    this.#look(this.#x + (right * width) / this.zoom, this.#y + (down * height) / this.zoom, this.zoom)
  }

  #look(x: number, y: number, zoom: number): void {
    this.zoom = zoom
    const [halfWidth, halfHeight] = [width / 2 / zoom, height / 2 / zoom]
    this.#x = Math.min(width - halfWidth, Math.max(halfWidth, x))
    this.#y = Math.min(height - halfHeight, Math.max(halfHeight, y))
    this.#onMove()
  }

  /** Handles an element's keys, wheel and pointer; `at` gives the map's units under a pointer. */
  listen(box: HTMLElement, at: (event: MouseEvent) => [number, number]): void {
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.pan(-0.15, 0),
      ArrowRight: () => this.pan(0.15, 0),
      ArrowUp: () => this.pan(0, -0.15),
      ArrowDown: () => this.pan(0, 0.15),
      '+': () => this.magnify(step),
      '=': () => this.magnify(step),
      '-': () => this.magnify(1 / step),
      '0': () => this.reset(),
    }
    box.addEventListener('keydown', (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key]
      if (!act || (this.zoom === 1 && event.key.startsWith('Arrow'))) return
      event.preventDefault()
      act()
    })
    // The wheel alone scrolls the page.
    box.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return
        event.preventDefault()
        this.magnify(2 ** (-event.deltaY / 200), at(event))
      },
      { passive: false },
    )
    box.addEventListener('dblclick', (event) => this.magnify(step * step, at(event)))
    box.addEventListener('pointermove', (event) => {
      if (event.buttons !== 1 || this.zoom === 1) return
      box.setPointerCapture(event.pointerId)
      this.pan(-event.movementX / box.clientWidth, -event.movementY / box.clientHeight)
    })
  }

  /** Buttons for `+`, `-` and `0`, for touch screens. */
  buttons(named: Readonly<Record<'in' | 'out' | 'all', HTMLElement>>): void {
    named.in.addEventListener('click', () => this.magnify(step))
    named.out.addEventListener('click', () => this.magnify(1 / step))
    named.all.addEventListener('click', () => this.reset())
  }
}
