/** Parts of prom-client by their files. All of it takes 40 ms to load, most of that for what owm has no use for. */
declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client'
  export default class extends Gauge {
    protected type: 'gauge' | 'counter'
  }
}
declare module 'prom-client/lib/pushgateway.js' {
  export { Pushgateway as default } from 'prom-client'
}
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client'
}
