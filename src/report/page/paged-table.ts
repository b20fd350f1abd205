/** A table of any number of rows: a page of them at a time, in any order, searched by text. */
import { element } from './dom.js'
import { count } from './words.js'

interface Column<Row> {
  readonly title: string
  /** What a cell shows. */
  cell(row: Row): Node | string
  /** What rows are put in order by; columns without it can't be. */
  order?(row: Row): string | number
  readonly isNumber?: boolean
}

interface TableOptions<Row> {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  /** The text if there are no rows. */
  readonly empty: string
  readonly rowsAPage?: number
  /** Called when a row is chosen. */
  onChoose?(row: Row): void
}

export class PagedTable<Row> {
  readonly #options: TableOptions<Row>
  readonly #body = element('tbody')
  readonly #status = element('p', { class: 'status', role: 'status' })
  readonly #previous = element('button', { type: 'button' }, 'Previous')
  readonly #next = element('button', { type: 'button' }, 'Next')
  readonly #headers: HTMLTableCellElement[] = []
  #rows: readonly Row[] = []
  #ordered: readonly Row[] = []
  #by: { column: Column<Row>; descending: boolean } | undefined
  #page = 0

  constructor(box: HTMLElement, options: TableOptions<Row>) {
    this.#options = options
    const head = element('tr', {}, ...options.columns.map((column) => this.#header(column)))
    const caption = element('caption', {}, options.caption)
    const table = element('table', {}, caption, element('thead', {}, head), this.#body)
    const scroller = element('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': options.caption })
    scroller.append(table)
    this.#previous.addEventListener('click', () => this.#turn(-1))
    this.#next.addEventListener('click', () => this.#turn(1))
    const pager = element('div', { class: 'pager' }, this.#status, this.#previous, this.#next)
    box.append(scroller, pager)
  }

  /** Shows the first page of these. */
  show(rows: readonly Row[]): void {
    this.#rows = rows
    this.#page = 0
    this.#sort()
    this.#draw()
  }

  #header(column: Column<Row>): HTMLTableCellElement {
    const header = element('th', { scope: 'col', class: column.isNumber ? 'number' : undefined })
    this.#headers.push(header)
    if (!column.order) {
      header.append(column.title)
      return header
    }
    const button = element('button', { type: 'button', class: 'sort' }, column.title)
    button.addEventListener('click', () => {
      const descending = this.#by?.column === column ? !this.#by.descending : column.isNumber === true
      this.#by = { column, descending }
      for (const other of this.#headers) other.removeAttribute('aria-sort')
      header.setAttribute('aria-sort', descending ? 'descending' : 'ascending')
      this.show(this.#rows)
    })
    header.append(button)
    return header
  }

  #sort(): void {
    const { column, descending } = this.#by ?? {}
    this.#ordered = this.#rows
    if (!column?.order) return
    const keyed = this.#rows.map((row) => ({ row, key: column.order?.(row) ?? '' }))
    const sign = descending ? -1 : 1
    keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0))
    this.#ordered = keyed.map(({ row }) => row)
  }

  #turn(by: number): void {
    this.#page += by
    this.#draw()
    // Disabling the focused button would lose the keyboard's place.
    const [used, other] = by > 0 ? [this.#next, this.#previous] : [this.#previous, this.#next]
    if (used.disabled) other.focus()
  }

  #draw(): void {
    const { columns, empty, rowsAPage = 25, onChoose } = this.#options
    const from = this.#page * rowsAPage
    const shown = this.#ordered.slice(from, from + rowsAPage)
    const all = this.#ordered.length
    const rows = shown.map((row) => {
      const cells = columns.map((column, index) => {
        const [name, scope] = index === 0 ? (['th', 'row'] as const) : (['td', undefined] as const)
        const content = index === 0 && onChoose ? choice(column.cell(row), () => onChoose(row)) : column.cell(row)
        return element(name, { scope, class: column.isNumber ? 'number' : undefined }, content)
      })
      return element('tr', {}, ...cells)
    })
    this.#body.replaceChildren(...rows)
    this.#status.textContent =
      all === 0 ? empty : `${count(from + 1)} to ${count(from + shown.length)} of ${count(all)}`
    this.#previous.disabled = this.#page === 0
    this.#next.disabled = from + rowsAPage >= all
    for (const button of [this.#previous, this.#next]) button.hidden = all <= rowsAPage
  }
}

function choice(content: Node | string, onChoose: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'choose' }, content)
  button.addEventListener('click', onChoose)
  return button
}
