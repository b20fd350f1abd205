/** The package has no types of its own. */
declare module 'cluster-key-slot' {
  /** The hash slot of a key, 0 to 16383, as Redis Cluster computes it. */
  export default function slotOf(key: string): number
}
