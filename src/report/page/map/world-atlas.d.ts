/** Natural Earth's coastlines and borders. */
declare module 'world-atlas/countries-50m.json' {
  type Mesh = typeof import('topojson-client').mesh
  type Shape = NonNullable<Parameters<Mesh>[1]>

  const atlas: Parameters<Mesh>[0] & { objects: Record<'countries' | 'land', Shape> }
  export default atlas
}
