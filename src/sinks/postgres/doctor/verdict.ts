/** What is examined, and the verdicts on it. */
import { verdictsFor } from '../../doctor.js'
import type { Connection } from '../connection.js'
import type { Settings } from '../options.js'
import type { Store } from '../store.js'
import type { Tables } from '../tables.js'
import type { Code } from './checks.js'

export interface Examined {
  readonly connection: Connection
  readonly settings: Settings
  readonly tables: Tables
  readonly store: Store
}

export const { judged, unknown } = verdictsFor<Code>()
