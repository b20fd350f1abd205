/**
 * Every message that owm can print, read off the syntax of src/: the source is the registry. One that can't be read
 * is an error that names its place, unless it is somebody else's.
 */
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { bound, propertyOf, Texts, withoutKeys } from './texts.mjs'

const root = dirname(import.meta.dirname)

/** How far up, from caller to caller, the parts of a message are looked for. */
const mostCallers = 3

/** Classes whose message a person reads, by itself or within another; what extends them is one, too. */
const readByPeople = [
  'OwmError',
  'Malformed',
  'Rejection',
  'RefusedFile',
  'Signature',
  'Unstructured',
  'Unreadable',
  'WrongContent',
]

/** Whether a text has words enough of its own to be found by. */
function isFindable(text) {
  const words = text.match(/\p{L}[\p{L}']*/gu) ?? []
  const telling = words.filter((word) => !/^(.|an|and|are|at|for|has|in|is|it|not|of|the|to|was|with)$/i.test(word))
  return telling.length >= 2 || words.length >= 4
}

/**
 * @param passedOn messages that are others': `FILE EXPRESSION`, as the source has it -> what stands around them
 * @returns a list of {classes, event, text, hints, place}: an error has `classes`, its own first, all else an `event`
 */
export function messages(passedOn) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.build.json'), ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  // Names are looked up within src/ alone: what libraries declare says nothing, and takes seconds to read.
  return messagesIn(fileNames, options, passedOn)
}

/** @param files paths of TypeScript */
export function messagesIn(files, options, passedOn) {
  const program = ts.createProgram(files, { ...options, noLib: true, noResolve: true, types: [] })
  return new Collector(program, passedOn).messages()
}

class Collector {
  #texts
  #passedOn
  /** By the name of what is called. */
  #calls = new Map()
  #sites = []
  #found = new Map()
  #wrong = new Set()
  #used = new Set()

  constructor(program, passedOn) {
    this.#texts = new Texts(program.getTypeChecker())
    this.#passedOn = passedOn
    for (const file of program.getSourceFiles()) if (!isForAuthors(file)) this.#look(file)
  }

  messages() {
    for (const site of this.#sites) this.#add(site, new Map(), site.message)
    for (const name of Object.keys(this.#passedOn))
      if (!this.#used.has(name)) this.#wrong.add(`${name}: nothing like this is there`)
    if (this.#wrong.size > 0) throw new Error(`These messages can't be read:\n${[...this.#wrong].join('\n')}`)
    return [...this.#found.values()]
  }

  #look(node) {
    if (ts.isCallExpression(node)) {
      const name = nameOf(node.expression)
      this.#calls.set(name, [...(this.#calls.get(name) ?? []), node])
    }
    const site = this.#siteIn(node)
    if (site) this.#sites.push({ ...site, node })
    ts.forEachChild(node, (child) => this.#look(child))
  }

  /** Where a message is made: an error, or a line of the log. */
  #siteIn(node) {
    if (ts.isNewExpression(node)) return this.#errorIn(this.#texts.declarationOf(node.expression), node)
    if (ts.isObjectLiteralExpression(node)) return siteInObject(node)
    if (!ts.isCallExpression(node)) return undefined
    const {
      expression,
      arguments: [fields, message],
    } = node
    if (expression.kind === ts.SyntaxKind.SuperKeyword)
      return this.#errorIn(ts.findAncestor(node, ts.isClassDeclaration), node)
    if (/^process\.stderr\.write$/.test(expression.getText()) && /^`owm: /.test(fields.getText()))
      return { classes: [], message: fields }
    const isLogged = message && ts.isPropertyAccessExpression(expression) && /^(warn|error)$/.test(expression.name.text)
    return isLogged ? { event: fields, message } : undefined
  }

  /** `new` of a class that takes its message, or `super` in one that makes it. */
  #errorIn(declared, node) {
    const { initializer } = declared ?? {}
    if (initializer && ts.isConditionalExpression(initializer) && /Error\b/.test(initializer.getText()))
      this.#wrong.add(`${placeOf(node)}: write \`new\` once for each class`)
    const chain = this.#chainOf(declared)
    if (!chain.some(({ name }) => readByPeople.includes(name.text))) return undefined
    const [made] = chain.flatMap(({ members }) => members.filter(ts.isConstructorDeclaration))
    // A class without a constructor of its own is an Error, or like one that takes options.
    const parameters = made?.parameters.map(({ name }) => name.text) ?? ['message', 'options']
    const at = parameters.findIndex((name) => ['message', 'reason', 'what'].includes(name))
    if (at < 0 === ts.isNewExpression(node)) return undefined
    const [message, options] = node.arguments.slice(Math.max(at, 0))
    const hasHint = at < 0 || parameters[at + 1] !== 'field'
    return { classes: chain.map(({ name }) => name.text), message, options: hasHint ? options : undefined }
  }

  #chainOf(declared) {
    if (!declared || !ts.isClassDeclaration(declared)) return []
    const parent = declared.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)
    return [declared, ...(parent ? this.#chainOf(this.#texts.declarationOf(parent.types[0].expression)) : [])]
  }

  /** @param at where the values of the parameters were given; the message itself, to begin with */
  #add(site, env, at, inlined = []) {
    const { texts, stops } = this.#textsOf(site, env)
    const hints = this.#hintsOf(site, env)
    const others = this.#othersAt(at)
    const isRead = others !== undefined || texts.every(isFindable)
    const unknown = [...stops, ...hints.stops].map(({ parent }) => parent)
    const caller = unknown.find((one) => this.#callsOf(one) && !inlined.includes(one) && inlined.length < mostCallers)
    if (caller && others === undefined && !(isRead && hints.texts.every((text) => text !== '…')))
      for (const call of this.#callsOf(caller)) this.#add(site, bound(caller, call, env), call, [...inlined, caller])
    else if (isRead) for (const text of others ?? texts) this.#keep(site, env, text, hints.texts)
    else this.#wrong.add(`${placeOf(at)}: ${at.getText()}`)
  }

  /** What stands around somebody else's words. */
  #othersAt(node) {
    const name = `${placeOf(node).split(':')[0]} ${node.getText()}`
    this.#used.add(name)
    return this.#passedOn[name]
  }

  /** The calls of a function; undefined where there is none. */
  #callsOf(called) {
    const name = called.name ?? called.parent.name
    const found = (this.#calls.get(name?.text) ?? []).filter((call) => {
      const by = this.#texts.calledBy(call)
      return by !== undefined && (by === called || by === this.#texts.typeNameOf(called))
    })
    return found.length > 0 ? found : undefined
  }

  #textsOf({ message }, env) {
    const texts = this.#texts.of(message, env, false)
    const found = texts.every(isFindable) ? texts : this.#texts.of(message, env, true)
    return { texts: found.map((text) => withoutKeys(text).replace(/^owm: /, '')), stops: this.#texts.stops }
  }

  #hintsOf({ options }, env) {
    const object = options && this.#texts.literalOf(options, env)
    const hint = object ? propertyOf(object, 'hint') : options
    if (!hint) return { texts: [], stops: [] }
    const texts = this.#texts.of(hint, env, true)
    return { texts: texts.length > 3 ? this.#texts.of(hint, env, false) : texts, stops: this.#texts.stops }
  }

  #keep({ classes, event, node }, env, text, hints) {
    const about = event && this.#eventIn(event, env)
    const name = [classes?.[0], about, text].join('\n')
    const found = this.#found.get(name) ?? { classes, event: about, text, hints: [], place: placeOf(node) }
    found.hints = [...new Set([...found.hints, ...hints.filter((hint) => hint !== '…')])]
    this.#found.set(name, found)
  }

  #eventIn(node, env) {
    const fields = this.#texts.literalOf(node, env)
    return this.#texts.of((fields && propertyOf(fields, 'event')) ?? node, env, false)[0]
  }
}

/** The suite that authors of plugins run speaks in tests only. */
const isForAuthors = ({ fileName }) => fileName.includes('/src/plugins/conformance/')

/** The last part of `this.#must`. */
const nameOf = (expression) => expression.name?.text ?? expression.text

/** The outbox's warnings, which its callers log. */
function siteInObject(node) {
  const [message, fields] = ['message', 'fields'].map((name) => propertyOf(node, name))
  return message && fields ? { event: fields, message } : undefined
}

function placeOf(node) {
  const file = node.getSourceFile()
  return `${relative(root, file.fileName)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
}
