/** The kinds of pagination, by `pagination.type`. */
import type { Options } from '../options.js'
import { ByOffset, ByPage } from './counted.js'
import { ByCursor, ByLink } from './followed.js'
import type { Pagination } from './pagination.js'

const types = { page: ByPage, offset: ByOffset, cursor: ByCursor, link: ByLink }

export const paginationOf = (given: Options, type = given.pagination.type ?? 'page'): Pagination =>
  new types[type](given)

export { emptyPage, type Page, type Pagination, type Place } from './pagination.js'
