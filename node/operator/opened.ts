/** Remember what was opened; close it in reverse, whatever fails, before a deadline. */
import { OperatorError } from './error.ts';

/** Milliseconds that a part has at the least, however little time the others have left. */
const partMsMin = 500;

type Part = { readonly part: string; readonly close: () => Promise<void> | void };

/** Things that are open. */
export type Opened = {
  readonly add: (part: string, close: () => Promise<void> | void) => void;
  /**
   * Closes all, last one first, each once, whoever asks how often. One that fails or hangs does
   * not keep the others.
   * @returns What went wrong, in the order in which it did.
   */
  readonly closeAll: (msMax: number) => Promise<readonly unknown[]>;
};

export function nothingOpened(): Opened {
  const parts: Part[] = [];
  let closing: Promise<readonly unknown[]> | null = null;
  return {
    add: (part, close) => void parts.push({ part, close }),
    closeAll: (msMax) => {
      closing ??= closeEach(parts, msMax);
      return closing;
    },
  };
}

async function closeEach(parts: Part[], msMax: number): Promise<readonly unknown[]> {
  const end = performance.now() + msMax;
  const failures: unknown[] = [];
  for (let next = parts.pop(); next !== undefined; next = parts.pop()) {
    const ms = Math.max(partMsMin, Math.round(end - performance.now()));
    try {
      await within(ms, next.part, next.close);
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

async function within(ms: number, part: string, close: () => Promise<void> | void): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new OperatorError({ code: 'NODE_STOP_TIMEOUT', part, ms })),
    ms,
  );
  try {
    await Promise.race([close(), late]);
  } finally {
    clearTimeout(timer);
  }
}
