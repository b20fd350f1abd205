/**
 * The conformance suites that every source and sink must pass, the built-in
 * ones included: `import {sourceChecks, sinkChecks} from 'owm-producer/testing'`. They
 * depend on no test runner: call each check's `run` in a test of its name.
 *
 * Most checks open the plugin in this process. Those that kill start processes
 * of their own, with the real pipeline and an outbox in a temporary folder.
 */
export type { Check, Fault, SinkUnderTest, SourceUnderTest } from './check.js'
export { sinkChecks } from './sink-checks.js'
export { sourceChecks } from './source-checks.js'
