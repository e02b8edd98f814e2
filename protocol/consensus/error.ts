/** Say why a node cannot start from what its disk gave back. */
import { ProtocolError } from '../errors.ts';

export type LogErrorDetail = { readonly code: 'LOG_UNSOUND'; readonly reason: string };

/**
 * What was kept is not what a node of this seat can have kept. It is the disk's fault, or that of
 * whoever put the directory there; nothing may be signed on it.
 */
export class LogError extends ProtocolError<LogErrorDetail> {
  constructor(reason: string) {
    super({ code: 'LOG_UNSOUND', reason }, `what was kept is unsound: ${reason}`);
  }
}

/** @throws LogError unless what a sound log has is so */
export function checkLog(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new LogError(otherwise);
}
