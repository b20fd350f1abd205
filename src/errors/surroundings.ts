/** Explains errors of the environment that look like bugs of owm. */
import { ConfigurationError, codeOf, TransientError } from './index.js'

/** An error that says what to do, if this is one of them; any other error as it is. */
export function ofSurroundings(error: Error): Error {
  if ('syscall' in error && error.syscall === 'uv_cwd')
    return new ConfigurationError('The working directory has been deleted.', {
      hint: 'Change to a folder that exists, then run again.',
      cause: error,
    })
  if (codeOf(error) === 'EMFILE')
    return new ConfigurationError('This process may not open any more files.', {
      hint: 'Raise its limit: `ulimit -n 1024` before owm, or LimitNOFILE=1024 in a systemd unit.',
      cause: error,
    })
  if (codeOf(error) === 'ENFILE')
    return new TransientError('This machine has no file handles left.', {
      hint: 'Raise fs.file-max, or end what holds them.',
      cause: error,
    })
  return error
}
