/** Signs in an answer that it isn't the first page. */
import { linksIn, nextOf } from './links.js'
import { isOfCounts, type Member } from './members.js'
import { wholeOf } from './tree.js'

const firstNames = /^(is)?first(page)?$/
const beforeNames = /^has(prev(ious)?)(page)?$/
const previousNames = /^prev(ious)?(page)?(url|uri|link|href)?$/
const pageNames = /^(current)?page(number|no|num)?$/
const offsetNames = /^(offset|skip|startindex|startat)$/
export const limitNames = /^(limit|perpage|pagesize|maxresults|maxrecords|resultsperpage|itemsperpage)$/

/** A flag that says so, however the pages are counted. */
export const saidBefore = (members: readonly Member[]): Member | undefined => members.find(isFlagged)

const isFlagged = ({ name, value, isNear }: Member): boolean =>
  isNear && ((firstNames.test(name) && value === false) || (beforeNames.test(name) && value === true))

/** What shows that an answer is a later page, without knowing its request. */
export function laterPage(members: readonly Member[]): Member | undefined {
  const near = members.filter(({ isNear }) => isNear)
  const isCut = near.some(({ name }) => limitNames.test(name))
  return near.find((member) => {
    const { at, name, value } = member
    const number = wholeOf(value) ?? 0
    return (
      isFlagged(member) ||
      (pageNames.test(name) && number > 1 && !isOfCounts(at)) ||
      (isCut && offsetNames.test(name) && number > 1) ||
      (previousNames.test(name) && leadsBack(value)) ||
      linksIn(value).some(({ relations, href }) => relations.some((each) => /^prev/.test(each)) && leadsBack(href))
    )
  })
}

/** A link with a query leads to a page; one without may be another edition of the list. */
const leadsBack = (value: unknown): boolean => /^\d+$|\?/.test(nextOf(value) ?? '')

/** The limit that an answer's items exactly reach. */
export const limitIn = (members: readonly Member[], items: number): Member | undefined =>
  members.find(({ name, value, isNear }) => isNear && items > 0 && limitNames.test(name) && wholeOf(value) === items)
