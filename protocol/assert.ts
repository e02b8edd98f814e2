/** Stop on our own bugs, prove unions exhausted, and mark the lines of the specification. */

/** Thrown when our own code breaks its promise; never caused by a peer, a program or a disk. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops when `condition` is false: a bug of ours. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new AssertionError(promise);
}

/** Proves at compile time that a union is exhausted, and stops if it was not. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

let observer: ((line: string) => void) | null = null;

/** Names the line of `spec/protocol/` that the branch at hand follows. Does nothing but tell. */
export function mark(line: string): void {
  if (observer !== null) observer(line);
}

/** Lets a test see which lines are reached; `null` ends it. */
export function observeMarks(next: ((line: string) => void) | null): void {
  observer = next;
}
