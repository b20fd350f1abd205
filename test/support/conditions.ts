/** What a test's extent, or whether it can run at all, depends on. */

/** Everything, for minutes or hours: `npm run test:faults` and the like. `npm test` takes a part of it. */
export const isLong = process.env['OWM_TEST_LONG'] === '1'

export const isLinux = process.platform === 'linux'
export const isRoot = process.getuid?.() === 0
/** Mounts, namespaces and capabilities can be had. */
export const isRootOnLinux = isLinux && isRoot
