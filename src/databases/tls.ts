/** Failures of TLS, whichever server it is. */
import { codeOf } from '../errors/index.js'

/** Alerts by which a server refuses its client. */
const refusals = /_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED|PROTOCOL_VERSION)$/

/** Whether the server refused the TLS connection, such as for lack of a certificate: no retry helps. */
export const isRefusedByTls = (error: Error): boolean => refusals.test(codeOf(error))

/** The alert in OpenSSL's message: `…:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:…`. */
export const alertIn = (message: string): string => /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message.trim()

/** What to do about an expired certificate, the server's or owm's; undefined for any other error. */
export function expiredHint(error: Error): string | undefined {
  if (codeOf(error) === 'CERT_HAS_EXPIRED') return "Renew the server's certificate, or look at this machine's clock."
  if (codeOf(error).endsWith('_ALERT_CERTIFICATE_EXPIRED'))
    return "Renew owm's certificate, or look at the server's clock."
  return undefined
}
