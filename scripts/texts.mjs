/** What an expression of src/ says, read off the syntax: each text that it may be, `…` for what only a run knows. */
import ts from 'typescript'

/** Deeper than any message is made up of others. */
const mostSteps = 12

/** Functions that give their text back, without what must not be printed. */
const harmless = ['harmless', 'masked']

/** A text out of a table has the key under which it stands in front. */
const key = (name, text) => `\0${name}\0${text}`
export const keyOf = (text) => /^\0(.*?)\0/.exec(text)?.[1]
export const withoutKeys = (text) => text.replace(/\0.*?\0/g, '')

export class Texts {
  /** Parameters at which the last reading ended: who calls their function knows more. */
  stops = new Set()
  #checker
  #expands = false

  constructor(checker) {
    this.#checker = checker
  }

  /**
   * @param env what parameters stand for: each with its argument
   * @param expands whether a value within a text that may be one of several texts becomes each of them
   */
  of(node, env, expands) {
    this.#expands = expands
    this.stops = new Set()
    const texts = this.#read(node, env, 0).map((text) =>
      text
        .replace(/\s+/g, ' ')
        .replace(/…([ .]?…)+/g, '…')
        .trim(),
    )
    return unique(texts.filter((text) => /\p{L}|…/u.test(withoutKeys(text))))
  }

  declarationOf(node) {
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? this.#checker.getShorthandAssignmentValueSymbol(node.parent)
      : this.#checker.getSymbolAtLocation(ts.isPropertyAccessExpression(node) ? node.name : node)
    const isAlias = symbol && symbol.flags & ts.SymbolFlags.Alias
    return (isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol)?.valueDeclaration
  }

  /** The function that a call is of; where only its type has a name, such as that of a callback, that type's symbol. */
  calledBy({ expression }) {
    const declared = this.declarationOf(expression)
    const isGiven = declared && (ts.isParameter(declared) || ts.isBindingElement(declared))
    return isGiven ? this.#checker.getTypeAtLocation(expression).aliasSymbol : functionOf(declared)
  }

  /** The named type of the variable that holds a function. */
  typeNameOf({ parent }) {
    return parent && ts.isVariableDeclaration(parent)
      ? this.#checker.getTypeAtLocation(parent.name).aliasSymbol
      : undefined
  }

  /** The object or list that an expression is the name of. */
  literalOf(node, env) {
    if (ts.isObjectLiteralExpression(node) || ts.isArrayLiteralExpression(node)) return node
    if (isWrapped(node)) return this.literalOf(node.expression, env)
    if (ts.isConditionalExpression(node)) return this.literalOf(node.whenTrue, env)
    const declared = ts.isIdentifier(node) ? this.declarationOf(node) : undefined
    const given = env.get(declared)
    if (given) return this.literalOf(given, env)
    return declared && ts.isVariableDeclaration(declared) && declared.initializer
      ? this.literalOf(declared.initializer, env)
      : undefined
  }

  #read(node, env, steps) {
    const read = (inner) => this.#read(inner, env, steps + 1)
    if (steps > mostSteps) return ['…']
    if (ts.isStringLiteralLike(node)) return [node.text]
    if (isWrapped(node)) return read(node.expression)
    if (ts.isConditionalExpression(node)) return unique([...read(node.whenTrue), ...read(node.whenFalse)])
    if (ts.isTemplateExpression(node)) {
      const spans = node.templateSpans.flatMap((span) => [this.#within(read(span.expression)), [span.literal.text]])
      return joined([[node.head.text], ...spans])
    }
    if (ts.isBinaryExpression(node)) return binary(node, read)
    if (ts.isArrowFunction(node)) return unique(returnsOf(node).flatMap(read))
    if (ts.isElementAccessExpression(node)) return this.#fromTable(node, env, read)
    if (ts.isCallExpression(node)) return this.#called(node, env, steps, read)
    if (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) return this.#named(node, env, steps, read)
    return ['…']
  }

  /** Of several texts within another one; a word or two, such as "is" and "are", tell nothing. */
  #within = (texts) =>
    texts.length === 1 || (this.#expands && texts.some((text) => text.split(' ').length > 2)) ? texts : ['…']

  #named(node, env, steps, read) {
    if (node.text === 'undefined') return [] // it is never printed
    const declared = this.declarationOf(node)
    const given = env.get(declared)
    // What is given may name the same parameter, where a function calls itself.
    if (given) return this.#read(given, new Map([...env].filter(([one]) => one !== declared)), steps + 1)
    if (env.has(declared)) return ['']
    if (declared && ts.isParameter(declared)) this.stops.add(declared)
    if (declared && ts.isBindingElement(declared)) return this.#part(declared, env, read)
    const isConstant = declared && (ts.isVariableDeclaration(declared) || ts.isPropertyAssignment(declared))
    return isConstant && declared.initializer ? read(declared.initializer) : ['…']
  }

  /** What stands under a name of a list or an object that is taken apart. */
  #part(element, env, read) {
    const { parent: pattern } = element
    const { initializer } = pattern.parent
    if (ts.isArrayBindingPattern(pattern) && initializer) {
      const at = pattern.elements.indexOf(element)
      return unique(
        this.#listsIn(initializer, env).flatMap(([name, list]) => {
          const part = list?.elements?.[at]
          return part ? read(part).map((text) => (name === '' ? text : key(name, text))) : ['…']
        }),
      )
    }
    if (!ts.isParameter(pattern.parent)) return ['…']
    const given = env.get(pattern.parent)
    if (!given) this.stops.add(pattern.parent)
    const object = given && this.literalOf(given, env)
    const value = object && propertyOf(object, (element.propertyName ?? element.name).text)
    return value ? read(value) : ['…']
  }

  /** The lists that an expression may be, each with the key under which it stands in a table. */
  #listsIn(node, env) {
    if (ts.isBinaryExpression(node)) return [...this.#listsIn(node.left, env), ...this.#listsIn(node.right, env)]
    const table = ts.isElementAccessExpression(node) ? this.literalOf(node.expression, env) : undefined
    if (table) return table.properties.map(({ name, initializer }) => [name.text, initializer])
    return [['', ts.isArrayLiteralExpression(node) ? node : undefined]]
  }

  /** `table[key]`, or `list.find(…)?.[1]` of a list of pairs. */
  #fromTable(node, env, read) {
    const { expression, argumentExpression: at } = node
    const isSearch = ts.isCallExpression(expression) && expression.expression.name?.text === 'find'
    const table = this.literalOf(isSearch ? expression.expression.expression : expression, env)
    const keyed = (name, value) => read(value).map((text) => key(name.text, text))
    if (isSearch) return table?.elements?.flatMap(({ elements }) => (elements ? keyed(...elements) : ['…'])) ?? ['…']
    if (!table?.properties?.every(ts.isPropertyAssignment)) return ['…']
    if (ts.isStringLiteral(at)) return read(propertyOf(table, at.text))
    return table.properties.flatMap(({ name, initializer }) => keyed(name, initializer))
  }

  #called(node, env, steps, read) {
    const { expression } = node
    if (harmless.includes(expression.text)) return read(node.arguments[0])
    if (ts.isPropertyAccessExpression(expression) && expression.name.text === 'join') {
      const { expression: whole } = expression
      const isFiltered = ts.isCallExpression(whole) && whole.expression.name?.text === 'filter'
      const list = this.literalOf(isFiltered ? whole.expression.expression : whole, env)
      const parts = list?.elements?.map((one) => (ts.isSpreadElement(one) ? ['…'] : read(one))) ?? [['…']]
      return joined(parts.flatMap((part, index) => (index === 0 ? [part] : [read(node.arguments[0]), part])))
    }
    const called = functionOf(this.declarationOf(expression))
    if (!called?.body) return ['…']
    const inner = bound(called, node, env)
    return unique(returnsOf(called).flatMap((one) => this.#read(one, inner, steps + 1)))
  }
}

/** What the parameters of a function stand for in a call. */
export function bound(called, call, env) {
  const given = called.parameters.map((one, index) => [one, call.arguments[index] ?? one.initializer])
  return new Map([...env, ...given])
}

const isWrapped = (node) =>
  ts.isParenthesizedExpression(node) ||
  ts.isAsExpression(node) ||
  ts.isSatisfiesExpression(node) ||
  ts.isAwaitExpression(node)

function binary({ left, right, operatorToken: { kind } }, read) {
  if (kind === ts.SyntaxKind.PlusToken) return joined([read(left), read(right)])
  if (kind === ts.SyntaxKind.AmpersandAmpersandToken) return read(right)
  const isEither = kind === ts.SyntaxKind.QuestionQuestionToken || kind === ts.SyntaxKind.BarBarToken
  return isEither ? unique([...read(left), ...read(right)].filter((text) => text !== '')) : ['…']
}

const unique = (texts) => [...new Set(texts)]
const joined = (parts) =>
  parts.reduce((texts, part) => unique(texts.flatMap((text) => part.map((one) => text + one))), [''])

export function propertyOf(object, name) {
  const found = object.properties?.find((one) => one.name?.text === name)
  return found && (ts.isShorthandPropertyAssignment(found) ? found.name : found.initializer)
}

/** The function that a declaration is of. */
export function functionOf(declared) {
  if (!declared || ts.isFunctionDeclaration(declared) || ts.isMethodDeclaration(declared)) return declared
  const { initializer } = declared
  return initializer && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))
    ? initializer
    : undefined
}

function returnsOf({ body }) {
  if (!ts.isBlock(body)) return [body]
  const found = []
  const look = (node) => {
    if (ts.isReturnStatement(node)) found.push(node.expression)
    else if (!ts.isFunctionLike(node)) ts.forEachChild(node, look)
  }
  look(body)
  return found.filter(Boolean)
}
