/** Give every error a stable code, typed detail, and a sentence that says what to do. */

/** What every error tells: a code that is stable API, and the facts of the case. */
export type ErrorDetail = { readonly code: string };

/** Base of every error thrown here. `detail.code` is stable; the message is prose. */
export abstract class ProtocolError<D extends ErrorDetail = ErrorDetail> extends Error {
  readonly detail: D;

  constructor(detail: D, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.detail = detail;
  }

  /** The stable code of this error. */
  get code(): string {
    return this.detail.code;
  }
}

/**
 * What a node thinks of a peer's message: pass it on, keep quiet about it, or blame the sender.
 *
 * Only what is false whatever else the judge may learn is rejected; what may be early, late or
 * already known is ignored.
 */
export type Verdict =
  | { readonly verdict: 'accept' }
  | { readonly verdict: 'ignore'; readonly code: string }
  | { readonly verdict: 'reject'; readonly code: string };

export const accept: Verdict = { verdict: 'accept' };

export function ignore(code: string): Verdict {
  return { verdict: 'ignore', code };
}

export function reject(code: string): Verdict {
  return { verdict: 'reject', code };
}
