/** Notifies the relay that more is stored, or that no more will come. */
export class Feed {
  ended = false
  /** Resolves with the next notice. */
  news: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  constructor() {
    this.#arm()
  }

  notify(): void {
    this.#wake()
    this.#arm()
  }

  end(): void {
    this.ended = true
    this.#wake()
  }

  #arm(): void {
    this.news = new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
