/** Say what a run of a rewritten module came to, from what its counters show. */
import { mark } from '../assert.ts';

/** Seats agree on all but `host-oom`, which is the machine's own failure. */
export type RunOutcome = 'ok' | 'trap' | 'out-of-fuel' | 'too-deep' | 'host-oom';

/** Depth units that a run has: below them, no machine's stack is full. */
export const depthLimit = 100_000;
/** The depth that says that the machine had no memory to grow by. */
const noMemory = -(2 ** 31);

/** How a run ended, and what the exported globals hold then. */
export type RunEnd = {
  /** It returned; else the engine trapped. Any other end is a failure of the machine. */
  readonly returned: boolean;
  readonly fuel: bigint;
  readonly depth: number;
};

/**
 * Classifies a run. The engine's message is not looked at: it differs between engines.
 * @see spec/protocol/execution.md X62 to X66
 */
export function runOutcome({ returned, fuel, depth }: RunEnd): RunOutcome {
  if (depth === noMemory) {
    mark('X62');
    return 'host-oom';
  }
  if (fuel < 0n) {
    mark('X63');
    return 'out-of-fuel';
  }
  if (depth < 0) {
    mark('X64');
    return 'too-deep';
  }
  if (!returned) {
    mark('X65');
    return 'trap';
  }
  mark('X66');
  return 'ok';
}
