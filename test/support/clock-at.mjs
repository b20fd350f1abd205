/** Another clock for owm, with OWM_TEST_NOW (ISO 8601): `node --import clock-at.mjs`. It runs on from there. */
const started = Date.now()
const set = Date.parse(process.env.OWM_TEST_NOW ?? '')
const real = Date.now.bind(Date)
Date.now = () => set + real() - started
