/** `OWM_TEST_CLOCK_MS=-86400000 node --import clock.mjs …`: a clock that is that much ahead or, below 0, behind. */
const shift = Number(process.env.OWM_TEST_CLOCK_MS ?? 0)
const RealDate = Date

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length > 0) super(...given)
    else super(RealDate.now() + shift)
  }

  static now() {
    return RealDate.now() + shift
  }
}
