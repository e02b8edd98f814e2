/** Show how far a check of the laws is, once it takes longer than a moment. */
import type { Output } from './output.ts';

/** Milliseconds before anything is shown, and between two looks at the clock. */
const quietMs = 2_000;
const tickMs = 500;

/** A check that is under way. */
export type CheckProgress = {
  readonly trying: (count: number) => void;
  /** A law is broken, and its example is made small from now on. */
  readonly broke: () => void;
  readonly end: () => void;
};

/** Starts to show it: a few lines drawn again on a terminal, else a line at each stage. */
export function checkProgress(output: Pick<Output, 'progress'>, runs: number): CheckProgress {
  const startedAt = performance.now();
  const shown = output.progress();
  let [tried, broken] = [0, false];
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs < quietMs) return;
    shown.show({
      state: broken ? 'a law is broken: making its example small' : 'checking the laws',
      elapsedMs,
      lanes: [],
      subtasks: { done: tried, total: broken ? 0 : runs, name: 'statements' },
      ...{ bound: null, guess: null, awaited: null },
    });
  }, tickMs);
  return {
    trying: (count) => {
      tried = count;
    },
    broke: () => {
      broken = true;
    },
    end: () => {
      clearInterval(timer);
      shown.end();
    },
  };
}
