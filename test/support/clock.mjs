/** Another clock for owm: `node --import clock.mjs`, with OWM_TEST_NOW as an ISO 8601 time. It runs on from there. */
const started = Date.now()
const set = Date.parse(process.env.OWM_TEST_NOW ?? '')
const real = Date.now.bind(Date)
Date.now = () => set + real() - started
