/** What `bin/run.js` starts: oclif, bundled with everything that a command needs. */
export { execute } from '@oclif/core/execute'
