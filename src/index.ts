/** The public exports, for plugins and configuration files: `import { defineSource } from 'owm-producer'`. */
export { z } from 'zod/v4'
export { type Config, defineConfig } from './config/schema.js'
export {
  ChangedError,
  ConfigurationError,
  RefusedError,
  ResumePointError,
  SinkFullError,
  SupersededError,
  TransientError,
} from './errors/index.js'
export {
  type Attached,
  type Attachment,
  type Brought,
  type Check,
  type Diagnosis,
  defineSink,
  defineSource,
  type Entry,
  type GroupPicture,
  type Link,
  type Location,
  type LocationBatch,
  type Logger,
  Malformed,
  type Outcome,
  type Patient,
  type PluginContext,
  type Reading,
  type Receipt,
  type Sink,
  type SinkPicture,
  type SinkPlugin,
  type SinkPosition,
  type Source,
  type SourcePlugin,
  type TaskBatch,
} from './plugin.js'
export type { Task } from './tasks/task.js'
