/** YAML's numbers without loss. */
import type { Document } from 'yaml'
import { exactScalar } from '../../tasks/json/exact.js'

/**
 * Keeps each number of a document as written: `03772` becomes text, since a number would lose its zero; a whole number
 * beyond 2^53 becomes a bigint, a longer decimal an ExactNumber.
 */
export function exactScalars(document: Document, { visit }: Pick<typeof import('yaml'), 'visit'>): void {
  visit(document, {
    Scalar(_, node) {
      const { source, value } = node
      if (typeof value !== 'number' || source === undefined) return
      node.value = exactScalar(source, value)
    },
  })
}
