/** The world map: a canvas with each location, and what is known of the one under the pointer. */
import { placeStates } from '../../data.js'
import type { Places } from '../decode.js'
import { colour, element, foreign, part, redrawn } from '../dom.js'
import { position, stateWords, time } from '../words.js'
import { Camera } from './camera.js'
import { addMark, isTrouble } from './marks.js'
import { height, project, width, world } from './world.js'

/** Pixels around the pointer in which a location is found. */
const reach = 12

export class WorldMap {
  readonly #places: Places
  readonly #world = world()
  /** The map's units; NaN where a location has no place. */
  readonly #x: Float32Array
  readonly #y: Float32Array
  readonly #box = part('map')
  readonly #canvas = element('canvas', { 'aria-hidden': true })
  readonly #camera = new Camera(() => this.#later())
  #isShown: (index: number) => boolean = () => true
  #chosen: number | undefined
  #frame = 0

  constructor(places: Places) {
    this.#places = places
    this.#x = new Float32Array(places.count)
    this.#y = new Float32Array(places.count)
    for (let index = 0; index < places.count; index++) {
      const [x, y] = project(places.longitude[index] ?? Number.NaN, places.latitude[index] ?? Number.NaN) ?? [
        Number.NaN,
        Number.NaN,
      ]
      this.#x[index] = x
      this.#y[index] = y
    }
    this.#box.prepend(this.#canvas)
    this.#camera.listen(this.#box, (event) => this.#unitsAt(event))
    this.#camera.buttons({ in: part('zoom-in'), out: part('zoom-out'), all: part('zoom-all') })
    this.#box.addEventListener('pointermove', (event) => {
      if (event.buttons === 0) this.choose(this.#nearest(event), false)
    })
    this.#box.addEventListener('click', (event) => this.choose(this.#nearest(event), false))
    redrawn(this.#box, () => this.#draw())
  }

  /** Shows only some of the locations. */
  filter(isShown: (index: number) => boolean): void {
    this.#isShown = isShown
    this.#later()
  }

  /** Tells of a location and marks it. @param moves whether the map goes there */
  choose(index: number | undefined, moves: boolean): void {
    if (index === this.#chosen && !moves) return
    this.#chosen = index
    const { city, region, state, slot, reason, latitude, longitude } = this.#places
    if (index !== undefined) {
      const facts = [
        region(index),
        position(latitude[index] ?? Number.NaN, longitude[index] ?? Number.NaN),
        stateWords[state(index)].name.toLowerCase(),
        slot(index) && `slot ${time(slot(index))} UTC`,
        reason(index),
      ].filter(Boolean)
      const rest = facts.flatMap((fact) => [' · ', foreign(fact)])
      part('place').replaceChildren(element('strong', {}, foreign(city(index))), ...rest)
    }
    const [x = Number.NaN, y = Number.NaN] = index === undefined ? [] : [this.#x[index], this.#y[index]]
    if (moves && !Number.isNaN(x)) this.#camera.show([x, y])
    this.#later()
  }

  #later(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => this.#draw())
  }

  #view(): { scale: number; left: number; top: number } {
    return this.#camera.view(this.#canvas.clientWidth)
  }

  #unitsAt(event: MouseEvent): [number, number] {
    const { scale, left, top } = this.#view()
    const box = this.#canvas.getBoundingClientRect()
    return [(event.clientX - box.left - left) / scale, (event.clientY - box.top - top) / scale]
  }

  #nearest(event: MouseEvent): number | undefined {
    const [x, y] = this.#unitsAt(event)
    let [found, least] = [-1, (reach / this.#view().scale) ** 2]
    for (let index = 0; index < this.#places.count; index++) {
      const distance = ((this.#x[index] ?? 0) - x) ** 2 + ((this.#y[index] ?? 0) - y) ** 2
      if (distance < least && this.#isShown(index)) [found, least] = [index, distance]
    }
    return found < 0 ? undefined : found
  }

  #draw(): void {
    const pixels = this.#canvas.clientWidth
    const density = devicePixelRatio
    this.#canvas.width = pixels * density
    this.#canvas.height = ((pixels * height) / width) * density
    const context = this.#canvas.getContext('2d')
    if (!context || pixels === 0) return
    const { scale, left, top } = this.#view()
    const { sphere, graticule, land, borders } = this.#world
    context.setTransform(density * scale, 0, 0, density * scale, density * left, density * top)
    context.fillStyle = colour('sea')
    context.fill(sphere)
    context.lineWidth = 0.6 / scale
    context.strokeStyle = colour('graticule')
    context.stroke(graticule)
    context.fillStyle = colour('land')
    context.fill(land)
    context.strokeStyle = colour('border')
    context.stroke(borders)
    context.setTransform(density, 0, 0, density, 0, 0)
    this.#drawPlaces(context, pixels)
  }

  #drawPlaces(context: CanvasRenderingContext2D, pixels: number): void {
    const { scale, left, top } = this.#view()
    const { count, states } = this.#places
    const narrow = Math.min(1, Math.max(0.5, pixels / 900))
    const radius = Math.max(0.6, Math.min(4, 60 / count ** 0.36) * narrow) * Math.min(2.5, this.#camera.zoom ** 0.4)
    const bottom = (pixels * height) / width
    for (const [number, state] of placeStates.entries()) {
      const path = new Path2D()
      const size = isTrouble(state) ? Math.max(3 * narrow, radius * 1.15) : radius
      for (let index = 0; index < count; index++) {
        if (states[index] !== number || !this.#isShown(index)) continue
        const [x, y] = [(this.#x[index] ?? 0) * scale + left, (this.#y[index] ?? 0) * scale + top]
        if (x > -9 && y > -9 && x < pixels + 9 && y < bottom + 9) addMark(path, state, x, y, size)
      }
      if (isTrouble(state)) {
        context.lineWidth = 2
        context.strokeStyle = colour('card')
        context.stroke(path)
      }
      context.fillStyle = colour(state)
      context.fill(path)
    }
    const [x, y] = [this.#x[this.#chosen ?? -1], this.#y[this.#chosen ?? -1]]
    if (x === undefined || y === undefined || Number.isNaN(x)) return
    context.beginPath()
    context.arc(x * scale + left, y * scale + top, Math.max(7, radius * 2), 0, 2 * Math.PI)
    context.lineWidth = 2
    context.strokeStyle = colour('ink')
    context.stroke()
  }
}
