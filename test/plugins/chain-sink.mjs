/**
 * A sink with attachments, in a file of JSON: as it should be, or with one thing left out (`without`). For the test
 * that the conformance suite finds what is left out.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ChangedError, defineSink, RefusedError, SupersededError, z } from '../../dist/index.js'

const options = z.strictObject({
  file: z.string().describe('the file'),
  refuses: z.string().default('').describe('tasks with this text are refused'),
  without: z.string().default('').describe('what is left out'),
})

export default defineSink({
  name: 'chain',
  description: 'a chain in a file',
  options,
  open({ file: name, refuses, without }, { baseDir }) {
    const file = resolve(baseDir, name)
    const has = (part) => part !== without
    const read = () => {
      try {
        return JSON.parse(readFileSync(file, 'utf8'))
      } catch {
        return { id: '', generation: 0, tasks: [], fences: {}, receipts: {} }
      }
    }
    const write = (state) => {
      writeFileSync(`${file}.new`, JSON.stringify(state))
      renameSync(`${file}.new`, file)
    }
    const ordered = (epoch) => (has('epochs in numbers') ? epoch : String(epoch))
    const isSuperseded = (fence, { epoch, word }) =>
      fence !== undefined && (ordered(fence.epoch) > ordered(epoch) || (fence.epoch === epoch && fence.word !== word))
    const stored = (task) => (has('texts as they are') ? task : task.normalize().replaceAll('\u2028', ' '))
    /** The fence, where it is that of this attachment. */
    const own = (state, attachment) => {
      const fence = state.fences[attachment.outboxId]
      if (has('epochs') && isSuperseded(fence, attachment)) throw new SupersededError('another one has attached')
      if (has('places') && fence?.placedBy !== attachment.word) throw new ChangedError('not placed')
      return fence ?? { seq: 0, taskId: '' }
    }
    return {
      guarantee: 'exactly-once',
      maxInFlight: 2,
      address: file,
      async attach({ outboxId, epoch, word, formerId }, sinkId) {
        const state = read()
        const created = state.id === ''
        if (created && has('an id')) state.id = sinkId
        const { [outboxId]: fence, [formerId ?? '']: former } = state.fences
        const superseded = isSuperseded(fence, { epoch, word })
        const placed = has('no fence before place') ? fence?.placedBy !== undefined : true
        if (!superseded)
          state.fences[outboxId] = {
            ...fence,
            epoch,
            word,
            ...(has('attach moves nothing') ? {} : { seq: 0, taskId: '', placedBy: word }),
          }
        write(state)
        return {
          sinkId: state.id || sinkId,
          created,
          superseded: has('epochs') && superseded,
          generation: state.generation,
          fence: placed ? { seq: 0, taskId: '', epoch: 0, word: '', ...fence } : undefined,
          former: former?.placedBy === undefined || !has('former fences') ? undefined : former,
        }
      },
      async place(attachment, at, generation) {
        const state = read()
        const fence = state.fences[attachment.outboxId]
        if (has('late places refused') && isSuperseded(fence, attachment)) throw new SupersededError('late')
        if (has('attach before place') && fence?.word !== attachment.word) throw new ChangedError('not attached')
        if (has('generations') && generation !== state.generation) throw new ChangedError('another generation')
        state.fences[attachment.outboxId] = { ...fence, ...at, placedBy: attachment.word }
        write(state)
      },
      async deliver(batch) {
        const state = read()
        const fence = own(state, batch.link)
        const { after } = batch.link
        const isNext = fence.seq === after.seq && fence.taskId === after.taskId
        const isBehind = fence.seq >= batch.firstSeq && fence.seq - batch.firstSeq < Number.MAX_SAFE_INTEGER
        if (has('chain') && !isNext && !isBehind) throw new ChangedError(`at ${fence.seq}, not at ${after.seq}`)
        const skip = has('fence') ? Math.max(0, Math.min(batch.count, fence.seq - batch.firstSeq + 1)) : 0
        const isTaken = (task) => refuses === '' || !task.includes(refuses)
        const last = batch.tasks.findLastIndex(isTaken)
        // The fence would say that it has both.
        if (batch.tasks.slice(0, last).some((task) => !isTaken(task))) throw new RefusedError('not taken')
        state.tasks.push(...batch.tasks.slice(skip).filter(isTaken).map(stored))
        if (skip <= last)
          state.fences[batch.outboxId] = {
            ...fence,
            seq: batch.firstSeq + last,
            taskId: JSON.parse(batch.task(last)).task_id,
            runId: batch.runId,
          }
        write(state)
        return batch.tasks.map((task, index) => {
          if (!isTaken(task)) return { refused: 'not taken' }
          return index < skip ? 'duplicate' : 'delivered'
        })
      },
      async *taskIds() {
        const { tasks } = read()
        if (has('newest ids first')) tasks.reverse()
        for (const task of has('old ids') ? tasks : tasks.slice(0, 100)) yield JSON.parse(task).task_id
      },
      async receipt(attachment, receipt, { lastSeq }) {
        const state = read()
        const fence = own(state, attachment)
        if (has('whole receipts') && fence.seq < lastSeq) throw new ChangedError('not whole')
        const { pipeline, slot, shard, shards } = receipt
        const about = Object.entries({ pipeline, slot, shard, shards }).filter(([part]) => has(`receipts by ${part}`))
        const key = JSON.stringify(about)
        if (has('newest receipts') || !(key in state.receipts)) state.receipts[key] = receipt
        write(state)
      },
      async receipts(pipeline, slot) {
        const all = Object.values(read().receipts)
        const isAsked = (one) =>
          (one.pipeline === pipeline || !has('receipts of one pipeline')) &&
          (slot === undefined || one.slot === slot || !has('receipts of one slot'))
        return all.filter(isAsked)
      },
    }
  },
})
